"""Figure 1 of the letter: one row per system."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gfdt_tutorial import figures
from gfdt_tutorial.experiments.pipeline import Comparison
from gfdt_tutorial.figures import DISPLACEMENTS

TRUTHS = ("exact", "dynamical")  # they are shown, but have no errors
ROW = 260  # pixels


def figure_one(found: Sequence[Comparison]) -> go.Figure:
    """A snapshot; R_11, R_31, R_51, R_71 with bands; L2 and L∞ errors against lag; one row per system."""
    titles = ["u", *map(figures.name_of, DISPLACEMENTS), "L2 error", "L∞ error"]
    count = len(titles)
    figure = make_subplots(
        len(found),
        count,
        subplot_titles=titles,
        row_titles=[one.system.title for one in found],
        horizontal_spacing=0.042,
        vertical_spacing=0.2 / len(found),
    )
    named: set[str] = set()
    for row, one in enumerate(found, start=1):
        figure.add_trace(figures.heatmap(one.system.grid, one.snapshot, showscale=False), row, 1)
        shown = {method: one.responses[key] for method, key in one.headline.items()}
        for column, displacement in enumerate(DISPLACEMENTS, start=2):
            figures.add_responses(figure, shown, displacement, row, column, legend=column == 2)
        last = float(one.responses["gaussian"].times[-1])  # the truth may reach further
        errors = {method: one.errors[key] for method, key in one.headline.items() if method not in TRUTHS}
        figures.add_errors(figure, errors, (row, count - 1), (row, count), legend=False)
        for column in range(2, count + 1):
            figure.update_xaxes(range=[0, last], title_text="lag t" if row == len(found) else None, row=row, col=column)
    for trace in figure.select_traces(selector={"showlegend": True}):
        trace.showlegend = trace.legendgroup not in named
        named.add(trace.legendgroup)
    figure.update_layout(template="gfdt", width=210 * count, height=ROW * len(found) + 120, margin_t=100, legend_y=1 + 0.14 / len(found))
    return figures.square_maps(figure)
