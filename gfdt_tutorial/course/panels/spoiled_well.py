"""A double well with a spoiled score and a spoiled forecast."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gfdt_tutorial.course.views import SpoiledWell
from gfdt_tutorial.figures import theme
from gfdt_tutorial.figures.lines import TraceData, line_trace

SPOILED_TITLES = ("score", "forecast, half a time unit ahead", "response of the mean")
ESTIMATES = {"exact": "exact", "generative": "by the score", "forecast": "by the forecast", "combined": "by both"}


def spoiled_well(view: SpoiledWell) -> go.Figure:
    """The score and the forecast, exact and spoiled; the response by each of them, by both, and exact."""
    figure = make_subplots(1, 3, subplot_titles=SPOILED_TITLES, horizontal_spacing=0.08)
    for column in (1, 2):
        for label, look in (("exact", theme.style("exact")), ("spoiled", theme.style("", 0))):
            figure.add_trace(line_trace([], [], label, legend=False, line=look), 1, column)
    for name, label in ESTIMATES.items():
        figure.add_trace(line_trace([], [], label, line=theme.style(name)), 1, 3)
    figure.update_xaxes(title_text="x", range=[-1.6, 1.6]).update_xaxes(title_text="lag t", range=[0, view.lags], row=1, col=3)
    figure.update_yaxes(range=[-6, 6], row=1, col=1).update_yaxes(range=[-1.3, 1.3], row=1, col=2)
    figure.update_yaxes(rangemode="tozero", row=1, col=3)
    figure.update_layout(template="gfdt", width=960, height=350, margin_t=80, legend_y=1.12)
    for trace, data in zip(figure.data, spoiled_well_data(view), strict=True):
        trace.update(data)
    return figure


def spoiled_well_data(view: SpoiledWell) -> list[TraceData]:
    """The data of each trace of `spoiled_well`, in order."""
    x, times, found = view.well.points[::2].numpy(), view.times.numpy(), view.estimates
    functions: list[TraceData] = [{"x": x, "y": curve[::2].numpy()} for curve in (*view.scores, *view.forecasts)]
    curves = (found.exact, found.by_score, found.by_forecast, found.combined)
    return functions + [{"x": times, "y": curve.numpy()} for curve in curves]
