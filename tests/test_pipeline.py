"""An experiment laid out and run: the letter's sizes, its headline forms, what travels with the package, and what bands hold."""

import itertools
from dataclasses import replace

import pytest
import torch

from gfdt_tutorial import AllenCahn, NavierStokes, OrnsteinUhlenbeck, PeriodicGrid, exact_response
from gfdt_tutorial.bench import bands
from gfdt_tutorial.experiments import shipped
from gfdt_tutorial.experiments.cache import Cache
from gfdt_tutorial.experiments.comparison import compare_methods
from gfdt_tutorial.experiments.pipeline import Comparison, plan, truth_of
from gfdt_tutorial.experiments.results import metrics
from gfdt_tutorial.experiments.shipping import shipped_comparison
from gfdt_tutorial.scores import budgets
from gfdt_tutorial.scores.forecast_training import ForecastTraining
from gfdt_tutorial.scores.training import Training
from gfdt_tutorial.systems.built_in import system_of

SYSTEMS = [OrnsteinUhlenbeck(), AllenCahn(), NavierStokes()]
named = pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)


# --- preset paper


@named
def test_the_paper_preset_has_the_letters_sizes(system):
    planned = plan(system, "paper", seed=0, device="cpu", conditioned=False)
    assert planned.size.pairs == (128 if system.name == "navier-stokes" else 12_800)
    assert planned.data.members == 128
    assert planned.training["fit"]["preset"] == "paper"


@pytest.fixture
def small_paper(monkeypatch):
    """Preset paper with the numbers of tiny, so that all of its path but the size is walked."""
    for system in map(type, SYSTEMS):
        monkeypatch.setattr(system, "ensembles", {**system.ensembles, "paper": system.ensembles["tiny"]})
    monkeypatch.setitem(budgets.BUDGETS, "paper", replace(budgets.BUDGETS["paper"], steps=20, check_every=10, pairs=8, width=8))
    monkeypatch.setitem(budgets.INTERMITTENT_STEPS, "paper", (10, 2.0))
    monkeypatch.setitem(budgets.FORECAST_STEPS, "paper", 20)


@pytest.mark.slow
@named
@pytest.mark.parametrize(("stage", "learner"), [("fit", Training), ("forecast", ForecastTraining)])
def test_the_paper_preset_goes_on_after_an_interrupt_to_the_same_bits(system, stage, learner, small_paper, tmp_path, monkeypatch):
    whole = compare_methods(system, preset="paper", device="cpu")
    cache, advance = Cache(tmp_path), learner._advance

    def interrupted(training):
        if training.step == 5:
            raise KeyboardInterrupt
        return advance(training)

    monkeypatch.setattr(learner, "_advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare_methods(system, preset="paper", device="cpu", cache=cache)
    monkeypatch.setattr(learner, "_advance", advance)
    resumed = compare_methods(system, preset="paper", device="cpu", cache=cache)
    assert resumed.stages[stage]["resumed"]
    assert list(resumed.responses) == list(whole.responses)
    for key, response in whole.responses.items():
        assert torch.equal(resumed.responses[key].values, response.values), key


# --- what is shown


def comparison_of(system, *responses):
    found = Comparison(system, torch.zeros(system.grid.shape), exact_response(OrnsteinUhlenbeck(), lags=4.0), "cpu")
    for response in responses:
        found.add(response)
    return found


@pytest.mark.parametrize("system", [AllenCahn(), NavierStokes()], ids=lambda system: system.name)
def test_the_letters_form_is_shown_where_there_is_one_and_the_raw_where_not(system):
    raw = replace(exact_response(OrnsteinUhlenbeck(), lags=4.0), method="generative")
    normalised, controlled = (replace(raw, form=form) for form in ("normalised", "controlled"))
    for order in itertools.permutations((raw, normalised, controlled)):
        assert comparison_of(system, *order).headline == {"generative": "generative_normalised"}
    assert comparison_of(system, raw, controlled).headline == {"generative": "generative"}


@pytest.mark.slow
def test_a_system_on_one_axis_is_compared_too():
    found = compare_methods(AllenCahn(grid=PeriodicGrid((8,))), preset="tiny", device="cpu")
    told = metrics([found], "tiny", 0)["systems"]["allen-cahn"]
    assert len(told["truth"]["l2_se"]) == len(found.truth.times)  # one a lag


def test_a_truth_that_needs_no_run_is_exact_or_shipped_or_none():
    assert truth_of(OrnsteinUhlenbeck(), 4.0).method == "exact"
    assert truth_of(AllenCahn(), 4.0).info["shipped"]["file"] == "allen-cahn-truth.npz"
    assert truth_of(AllenCahn(alpha=8.0), 4.0) is None


@pytest.mark.slow
@named
def test_what_is_shipped_of_a_system_can_be_compared_at_once(system):
    found = shipped_comparison(system.name)
    assert {"gaussian", "generative"} <= set(found.headline)
    assert all("shipped" in response.info for key, response in found.responses.items() if key in found.errors)
    better, worse = (found.errors[found.headline[method]].quoted["l2"] for method in ("generative", "gaussian"))
    assert better < 0.02 if system.name == "ornstein-uhlenbeck" else better < 0.6 * worse  # a Gaussian score is right for the first


@pytest.mark.parametrize("info", [{}, {"system": "allen-cahn"}, {"system": "allen-cahn", "parameters": {"alpha": 8.0}}])
def test_data_that_do_not_say_all_of_their_system_have_none(info):
    with pytest.raises(ValueError, match="do not say which system made them"):
        system_of(info)


def test_a_system_of_which_nothing_is_shipped_is_named(monkeypatch):
    monkeypatch.setattr("gfdt_tutorial.experiments.shipping.manifest", dict)
    with pytest.raises(ValueError, match=r"no responses of allen-cahn are shipped.*assets"):
        shipped_comparison("allen-cahn")


# --- the bench of bands


def test_a_band_holds_what_lies_in_it():
    long = exact_response(OrnsteinUhlenbeck(), lags=4.0)
    error = torch.full_like(long.values, 0.1)
    answer = replace(long, values=long.values.clone(), standard_error=error)
    answer.values[2, 0, 4] += 0.17  # 1.645 × 0.1 is the half-width of a 90 % band
    answer.values[3, 0, 6] -= 0.16
    held = bands._covered(answer, long)
    assert held.shape == (4, 4)
    assert held.sum() == 15
    assert held[2, 1] == 0


@pytest.mark.slow
def test_bands_of_a_few_series_hold_their_share(monkeypatch):
    monkeypatch.setattr(bands, "load_shipped_score", lambda name: OrnsteinUhlenbeck().score)
    rows = bands.coverage(("ornstein-uhlenbeck",), seeds=6, multiple=10, piece=10)
    shares = [row.value for row in rows if "fraction" in row.what]
    assert len(shares) == 2
    assert all(0.7 < share < 1.0 for share in shares)


def test_the_manifest_names_how_each_was_made():
    assert all(entry["command"].startswith("python -m gfdt_tutorial ") for entry in shipped.manifest().values())
