"""The report of an analysis: the page and its figures."""

import numpy as np
import pytest
from series_examples import series

from gfdt_tutorial import TimeSeries
from gfdt_tutorial.data.analysis import analyse
from gfdt_tutorial.data.suitability import examine
from gfdt_tutorial.figures.report import page
from gfdt_tutorial.figures.series_overview import overview, response_at_all_places, response_overview
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.scores.gaussian import GaussianScore


def test_the_report_lists_what_was_done_to_the_data():
    plain = series("mt")
    info = {"preparation": ["the mean of each of 12 phases was taken off <b>"], "notes": "times were turned round"}
    text = page(analyse(TimeSeries(plain.u, plain.times, "mt", info=info), preset="tiny", lags=4)).decode()
    assert "each of 12 phases was taken off &lt;b&gt;" in text and "times were turned round" in text
    assert "What was done to the data" not in page(analyse(plain, preset="tiny", lags=4)).decode()


def test_a_name_with_marks_does_not_break_the_page():
    data = series("mt")
    data = TimeSeries(data.u, data.times, "mt", info={"file": "<script>a&b.npy"})
    text = page(analyse(data, preset="tiny", lags=4)).decode()
    assert "&lt;script&gt;a&amp;b.npy" in text and "<script>a&b" not in text


@pytest.mark.parametrize("axes", ["mt", "mtx", "mtyx"])
def test_figures_show_the_series_and_the_answer(axes):
    data = series(axes)
    found = examine(data)
    figure = overview(data, found)
    curves = {trace.name: trace for trace in figure.data if trace.name}
    width = float(curves["data"].x[1] - curves["data"].x[0])
    assert float(np.sum(curves["data"].y) * width) == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(figure.data[-1].y, found.autocorrelation[: len(figure.data[-1].y)])
    answer = respond(data, GaussianScore.fit(data), lags=8.0)
    shown = response_overview({"gaussian": answer})
    lines = [trace for trace in shown.data if trace.fill is None]
    assert len(lines) == (1 if axes == "mt" else 4)
    np.testing.assert_allclose(lines[0 if axes == "mt" else 1].y, answer.along(0))
    everywhere = response_at_all_places(answer)
    assert (everywhere is None) == (axes == "mt")
    if axes == "mtx":
        assert everywhere.data[0].z[3, 8] == pytest.approx(float(answer.along(0)[3]), abs=1e-4)


def test_a_curve_of_many_lags_is_drawn_with_few_points():
    data = series("mt", steps=6000, members=2)
    shown = response_overview({"gaussian": respond(data, GaussianScore.fit(data), lags=2000.0)})
    assert all(len(trace.x) <= 2 * 501 for trace in shown.data)
    curve = next(trace for trace in shown.data if trace.fill is None)
    assert 400 < len(curve.x) <= 501 and curve.x[-1] == pytest.approx(2000, abs=5)
