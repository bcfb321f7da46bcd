"""`analyse` for unlike variables: checks of each, three matrices of responses, what to believe, and the files."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial.__main__ import main
from gfdt_tutorial.data.analysis import analyse
from gfdt_tutorial.data.component_analysis import ComponentAnalysis
from gfdt_tutorial.data.verdicts import Agreement
from gfdt_tutorial.figures import report

CHAIN = gfdt.MarkovChain()
UNITS = torch.tensor([1.0, 1e4, 1e-4])


def chain():
    data = gfdt.simulate(CHAIN, members=16, duration=1500.0)
    return gfdt.TimeSeries(data.u * UNITS, data.times, "mtc", components=("a", "b", "c"))


@pytest.fixture(scope="module")
def found():
    return analyse(chain(), preset="tiny", lags=5.0, detrend=True)


def test_the_three_responses_are_those_of_the_chain(found):
    assert isinstance(found, ComponentAnalysis) and list(found.responses) == ["gaussian", "generative", "combined"]
    exact = CHAIN.response(torch.arange(6.0)) * UNITS[:, None] / UNITS
    truth = gfdt.Response(torch.arange(6.0, dtype=torch.float64), exact, "exact", components=("a", "b", "c"))
    for response in found.responses.values():
        assert gfdt.compare(response, truth).quoted["l2"] < 0.1
        inside = (response.values.double() - exact).abs() < 1.7 * response.standard_error.double() + 1e-12
        assert inside.double().mean() > 0.75
    assert list(found.suitability) == ["a", "b", "c"] and not found.forced
    assert found.about["data"]["preparation"] == [{"step": "detrend"}]
    assert found.grade == "passes" and "Take the combined one" in found.verdict and found.disagreement < 0.1


def test_the_simplest_score_is_named(found):
    assert found.recommended == ("gaussian", "gaussian") and "no score does better than the Gaussian one" in found.verdict


def test_the_verdict_follows_each_test(found):
    apart = replace(found, halves=Agreement(5.0, 2.0, 0.4))
    assert apart.grade == "fails" and "two halves give different responses" in apart.verdict
    metrics = found.scores[0].metrics | {"missed": 0.3}
    thin = replace(found, scores=(replace(found.scores[0], metrics=metrics), found.scores[1]))
    assert thin.grade == "cannot tell" and "thinner" in thin.verdict
    other = replace(found.responses["generative"], values=1.5 * found.responses["generative"].values)
    differ = replace(found, responses=found.responses | {"generative": other})
    assert differ.grade == "cannot tell" and "differ by 50 %" in differ.verdict.replace("%", " %").replace("  ", " ")


def test_all_is_saved_and_the_page_says_it(found, tmp_path):
    paths = found.save(tmp_path / "out", report.page(found))
    assert [path.name for path in paths] == ["report.html", "responses.npz", "analysis.json"]
    told, arrays = json.loads(paths[2].read_text(encoding="utf-8")), np.load(paths[1])
    assert told["verdict"] == found.verdict and told["components"] == ["a", "b", "c"] and set(told["checks"]) == {"a", "b", "c"}
    assert arrays["combined"].shape == (6, 3, 3) and arrays["combined/band"].shape == (2, 6, 3, 3)
    assert {tuple(link[:2]) for link in told["links"]["response"]} <= {("a", "b"), ("a", "c"), ("b", "a")}
    assert len(told["links"]["lagged correlation"]) > len(told["links"]["response"]) >= 2
    assert torch.equal(gfdt.ComponentScore.load(tmp_path / "out" / "score-1")(found.data.u), found.scores[0](found.data.u))
    page = paths[0].read_text(encoding="utf-8")
    for words in ("How a, b, c respond", found.verdict.split(":")[0], "gaussian (recommended)", "a after a kick of b", "Who drives whom"):
        assert words in page


def test_a_trend_of_one_variable_is_refused_by_its_name_and_may_be_forced():
    data = chain()
    u = data.u.clone()
    u[:, :, 1] += 3e4 * torch.linspace(0, 1, u.shape[1])
    drifting = data.with_values(u)
    with pytest.raises(ValueError, match=r"b: these data are refused\. stationarity"):
        analyse(drifting, preset="tiny", lags=5.0)
    assert analyse(drifting, preset="tiny", lags=5.0, force=True).forced


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (gfdt.TimeSeries(torch.randn(8, 64, 2, 8), torch.arange(64.0), "mtcx"), {}, "several fields"),
    ],
)
def test_what_cannot_be_analysed_is_refused(data, options, message):
    with pytest.raises(ValueError, match=message):
        analyse(data, preset="tiny", **options)


def test_the_command_line_analyses_a_file(tmp_path, capsys):
    file, out = chain().save(tmp_path / "mine.npz"), tmp_path / "out"
    assert not main(["analyse", str(file), "--preset", "tiny", "--lags", "5", "--out", str(out)])
    said = capsys.readouterr().out
    assert "Passes:" in said and (out / "report.html").exists() and "stationarity" in said
