"""The three fields, as frozen dataclasses of their parameters, and the one loop that simulates any of them."""
