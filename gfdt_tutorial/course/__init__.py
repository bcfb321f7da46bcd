"""What the lessons need and a library does not: exercises, and widgets with the views that they look at and the panels that show them.

Inside, `widgets` import `panels`, and both import `views`. It imports the rooms below, from `figures` down to `core`.
"""
