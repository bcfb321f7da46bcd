"""Responses of unlike variables: a matrix of panels, the answer of each variable in a row, the kick of each in a column."""

from collections.abc import Mapping

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gfdt_tutorial.figures.lines import band_trace, line_trace
from gfdt_tutorial.responses.response import Response

LARGEST = 8  # components of which every pair is drawn


def response_matrix(responses: Mapping[str, Response], side: int = 200) -> go.Figure:
    """R_ij against lag for every pair, with bands where they exist: {name: response with components}.

    Args:
        side: of a panel, in pixels.

    Raises:
        ValueError: no responses, responses that are not those of components without space, of different components, or of more than eight.
    """
    known = {response.components for response in responses.values()}
    if len(known) != 1 or None in known or any(response.values.ndim != 3 for response in responses.values()):
        raise ValueError("expected responses of the same unlike variables without space, with values (lag, to, from)")
    names = next(iter(known)) or ()
    count = len(names)
    if count > LARGEST:
        raise ValueError(f"{count} × {count} panels are too many to read; draw some of them: response.between(to, source)")
    titles = [f"{to} after a kick of {source}" for to in names for source in names]
    figure = make_subplots(count, count, subplot_titles=titles, shared_xaxes=True, horizontal_spacing=0.06, vertical_spacing=0.08)
    for index, (name, response) in enumerate(responses.items()):
        for row in range(count):
            for column in range(count):
                where = {"row": row + 1, "col": column + 1}
                if response.band is not None:
                    figure.add_trace(band_trace(response.times, response.band[:, :, row, column].cpu(), name, index), **where)
                first = row == column == 0
                figure.add_trace(line_trace(response.times, response.values[:, row, column].cpu(), name, index, legend=first), **where)
    figure.update_xaxes(title_text="lag t", row=count).update_annotations(font_size=13)
    return figure.update_layout(template="gfdt", width=110 + 280 * count, height=130 + side * count, margin_t=100, legend_y=1.1)
