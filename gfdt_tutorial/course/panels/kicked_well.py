"""A kicked double well."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gfdt_tutorial.course.views import KickedWell
from gfdt_tutorial.figures import theme
from gfdt_tutorial.figures.lines import TraceData, line_trace

KICKED_TITLES = ("density before and after the kick", "change of the mean", "change of the variance")
KICKED = {"truth": "exact, this kick", "analytic": "linear, exact score", "gaussian": "linear, Gaussian score"}


def kicked_well(view: KickedWell) -> go.Figure:
    """The density before and right after a kick; the change of mean and variance, exact and predicted."""
    figure = make_subplots(1, 3, subplot_titles=KICKED_TITLES, horizontal_spacing=0.08)
    figure.add_trace(line_trace([], [], "before", line={"color": theme.INK, "width": 1.5}), 1, 1)
    figure.add_trace(line_trace([], [], "right after", line=theme.style("", 1)), 1, 1)
    for column in (2, 3):
        for name, label in KICKED.items():
            figure.add_trace(line_trace([], [], label, legend=column == 2, line=theme.style(name)), 1, column)
    figure.update_xaxes(title_text="x", range=[-2.5, 2.5], row=1, col=1)
    for column in (2, 3):
        figure.update_xaxes(title_text="time t", row=1, col=column)
    figure.update_layout(template="gfdt", width=960, height=350, margin_t=80, legend_y=1.12)
    for trace, data in zip(figure.data, kicked_well_data(view), strict=True):
        trace.update(data)
    return figure


def kicked_well_data(view: KickedWell) -> list[TraceData]:
    """The data of each trace of `kicked_well`, in order."""
    x, times = view.well.points[::2].numpy(), view.times.numpy()
    densities: list[TraceData] = [{"x": x, "y": density[::2].numpy()} for density in (view.well.density, view.kicked_density)]
    curves = (view.exact, view.linear, view.gaussian)
    changes: list[TraceData] = [{"x": times, "y": curve[:, part].numpy()} for part in (0, 1) for curve in curves]
    return densities + changes
