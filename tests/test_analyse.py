"""The whole analysis of a series: a known response, halves that exchange their scores, lags that follow the memory."""

import pytest
import series_examples
import torch
from series_examples import SHAPES, series, uneven

from gfdt_tutorial.data.analysis import analyse
from gfdt_tutorial.figures.report import page
from gfdt_tutorial.scores.gaussian import GaussianScore

here = series_examples.here


@pytest.mark.parametrize("axes", SHAPES)
def test_a_linear_series_of_any_shape_gets_its_known_answer(axes):
    """Independent pixels that forget by 0.8 a step answer a kick by 0.8^t, where it was."""
    found = analyse(series(axes, steps=2000 if "m" not in axes else 600), preset="tiny", lags=8)
    for answer in found.responses.values():
        here = answer.along(0)
        error = answer.standard_error[answer._index(0, leading=1)]
        assert ((here - 0.8**answer.times).abs() <= 4.5 * error + 0.02).all()
        assert here[0] == pytest.approx(1, abs=1e-3)
    assert 0.3 < found.halves.distance < 2
    text = page(found).decode()
    assert text.count("plotly.js v") == 1 and 'src="http' not in text and "May it be trusted?" in text


@pytest.mark.slow
def test_neither_unit_nor_offset_matters():
    plain, other = (analyse(series("mtx", lambda u, a=a, b=b: a * u + b), preset="tiny", lags=4) for a, b in ((1, 0), (1e-6, 3e-6)))
    for name, answer in plain.responses.items():
        torch.testing.assert_close(answer.values, other.responses[name].values, atol=2e-3, rtol=0)
    assert other.suitability.spread == pytest.approx(1e-6 * plain.suitability.spread, rel=1e-3)


def test_each_half_meets_the_score_of_the_other(monkeypatch):
    """Trained on one half only, a score that remembers its data would show in R(0): the average is over the other half."""
    from gfdt_tutorial.data import analysis

    seen = []
    monkeypatch.setattr(analysis, "fit_score", lambda half, *_, **__: seen.append(half) or remembering(half))
    found = analyse(series("mtx"), preset="tiny", lags=4)
    assert [half.u.shape[0] for half in seen] == [4, 4] and not seen[0].u.equal(seen[1].u)
    assert found.identities["generative"].linear[0] == pytest.approx(1, abs=0.05)


@pytest.mark.slow
def test_lags_follow_the_memory():
    slow = series("mt", memory=0.99, steps=4000)
    found = analyse(slow, preset="tiny")
    assert found.about["lags"] == pytest.approx(2 * found.suitability.decorrelation, abs=1) and found.about["lags"] > 200
    assert not any("lags end" in note for note in found.notes)
    ring = analyse(series("mtx", memory=0.99, steps=4000), preset="tiny")
    assert ring.about["lags"] == 100 and any("take one sample in" in note for note in ring.notes)


def remembering(half):
    score = GaussianScore.fit(half)

    def learned(u):
        assert not any(u[0, 0].equal(known) for known in half.u[:, 0]), "the score meets what it was fitted to"
        return score(u)

    learned.method, learned.metrics = "generative", {"interrupted": False}
    return learned


@pytest.mark.slow
def test_a_forced_analysis_says_so():
    with pytest.raises(ValueError, match=r"refused\. homogeneity: The variance varies"):
        analyse(series("mtx", uneven), preset="tiny")
    found = analyse(series("mtx", uneven), preset="tiny", lags=4, force=True)
    assert found.forced and found.summary()["checks"]["homogeneity"]["verdict"] == "refused"
    assert "<b>Forced.</b>" in page(found).decode() and "<b>Forced.</b>" not in page(analyse(series("mtx"), preset="tiny", lags=4)).decode()
