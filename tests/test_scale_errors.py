"""Errors by band of wavenumbers and for a smooth kick, the truths of smooth kicks, and the doubts of the kick lab."""

from dataclasses import replace

import pytest
import torch

from gfdt_tutorial import (
    OrnsteinUhlenbeck,
    PeriodicGrid,
    Response,
    band_errors,
    compare,
    exact_response,
    kick_error,
    kick_pattern,
    perturb,
    respond,
    simulate,
)
from gfdt_tutorial.__main__ import main
from gfdt_tutorial.bench import combined_coverage
from gfdt_tutorial.course import panels, views, widgets
from gfdt_tutorial.course.views.kick_design import KickDesign
from gfdt_tutorial.course.views.response_lab import Predictions
from gfdt_tutorial.experiments.pipeline import shipped_smooth_truth
from gfdt_tutorial.experiments.shipped import load_shipped
from gfdt_tutorial.responses.twin_runs import SMOOTH, smooth_modes
from gfdt_tutorial.systems.allen_cahn import AllenCahn
from gfdt_tutorial.systems.double_well import DoubleWell
from gfdt_tutorial.systems.navier_stokes import NavierStokes

FIELD = OrnsteinUhlenbeck()
TRUTH = exact_response(FIELD, lags=10.0)


def spoiled(low, high, by):
    """The exact response with an error at some wavenumbers."""
    radius = FIELD.grid.k_squared.sqrt()
    off = by * ((radius > low) & (radius <= high))
    return replace(TRUTH, values=FIELD.grid.irfft(FIELD.grid.rfft(TRUTH.values) + off), method="spoiled")


def test_bands_share_out_the_squared_l2():
    response = spoiled(0, 9, 0.1)
    weight, radius = FIELD.grid.multiplicity, FIELD.grid.k_squared.sqrt()
    edges = [(-1, 4), (4, 8), (8, 12), (12, 99)]
    counts = torch.tensor([float(weight[(radius > low) & (radius <= high)].sum()) for low, high in edges])
    found = torch.stack(list(band_errors(response, TRUTH).values()))
    assert counts.sum() == 1024
    torch.testing.assert_close((found.square() * counts[:, None]).sum(0) / 1024, compare(response, TRUTH).l2.square())


def test_an_error_shows_in_its_band_alone():
    found = band_errors(spoiled(4, 8, 0.3), TRUTH)
    assert list(found) == ["k ≤ 4", "4 < k ≤ 8", "8 < k ≤ 12", "12 < k"]
    assert found["4 < k ≤ 8"].numpy() == pytest.approx(0.3, rel=1e-4)
    assert max(float(found[name].abs().max()) for name in ("k ≤ 4", "8 < k ≤ 12", "12 < k")) < 1e-5
    with pytest.raises(ValueError, match="increasing wavenumbers"):
        band_errors(TRUTH, TRUTH, (8.0, 4.0))
    well = Response(torch.arange(3.0), torch.ones(3), "exact", grid=PeriodicGrid(()))
    with pytest.raises(ValueError, match="no wavenumbers"):
        band_errors(well, well)


def test_a_smooth_kick_sees_what_the_l2_does_not():
    long, short = spoiled(-1, 2, 0.3), spoiled(14, 20, 0.3)
    bump = kick_pattern(FIELD.grid, "bump")
    assert compare(long, TRUTH).quoted["l2"] < 0.3 * compare(short, TRUTH).quoted["l2"]
    assert kick_error(long, TRUTH, bump).quoted > 0.2
    assert kick_error(short, TRUTH, bump).quoted < 1e-4
    assert kick_error(TRUTH, TRUTH, bump).quoted == 0 and not kick_error(TRUTH, TRUTH, bump).truth_error.any()
    with pytest.raises(ValueError, match="pattern"):
        kick_error(TRUTH, TRUTH, bump[:5])


def test_the_standard_error_of_an_answer_to_a_bump_is_its_scatter_over_repetitions():
    line = OrnsteinUhlenbeck(grid=PeriodicGrid((16,)), lam=0.2)
    bump = kick_pattern(line.grid, "bump")
    found = [respond(simulate(line, members=16, duration=60.0, seed=seed, device="cpu"), line.score, lags=6.0) for seed in range(24)]
    quoted = torch.stack([one.standard_error_to(bump) for one in found]).square().mean(0).sqrt()
    ratio = quoted / torch.stack([one.to(bump) for one in found]).std(0)
    assert 0.8 < ratio.mean() < 1.25
    apart = found[0].standard_error.square().mean(1).sqrt() * bump.norm()  # as if pixels erred independently
    assert (apart[:, None] / quoted).mean() > 1.3
    folds = replace(found[0], standard_error=(found[0].standard_error.square() + 1e-2).sqrt(), info={"between_folds": [0.1] * 7})
    more = folds.standard_error_to(bump).square() - found[0].standard_error_to(bump).square()
    torch.testing.assert_close(more, torch.full_like(more, 1e-2 * float(bump.square().sum())), rtol=1e-3, atol=1e-6)
    for lacking in (TRUTH, replace(found[0], deviations=None)):
        with pytest.raises(ValueError, match="needs `deviations`"):
            lacking.standard_error_to(bump)


def test_kicks_of_one_band_answer_with_its_mean():
    for name, kick in combined_coverage._band_kicks(FIELD.grid):
        answer = TRUTH.to(kick).flatten(1)[:, 0]
        low, high = {"k ≤ 5": (-1, 5), "5 < k ≤ 8": (5, 8), "8 < k ≤ 10.6": (8, 10.6), "10.6 < k": (10.6, 99)}[name]
        radius, weight = FIELD.grid.k_squared.sqrt(), FIELD.grid.multiplicity
        inside = ((radius > low) & (radius <= high)) * weight
        means = (FIELD.grid.rfft(TRUTH.values).real * inside).sum((1, 2)) / inside.sum() * (1 / float(FIELD.grid.rfft(delta()).real[0, 0]))
        torch.testing.assert_close(answer.float(), means.float(), rtol=1e-4, atol=1e-5)


def delta():
    field = torch.zeros(FIELD.grid.shape)
    field[0, 0] = 1.0
    return field


def test_twins_of_smooth_kicks_give_the_long_waves_and_no_others():
    found = perturb(FIELD, lags=10.0, pairs=16, kick="smooth", device="cpu")
    kept = smooth_modes(FIELD.grid)
    exact = FIELD.grid.rfft(TRUTH.values) * kept
    torch.testing.assert_close(FIELD.grid.rfft(found.values), exact, atol=2e-4, rtol=0)
    assert float(FIELD.grid.k_squared[kept].max()) == SMOOTH**2
    assert kick_error(TRUTH, found, kick_pattern(FIELD.grid, "bump")).relative.abs().max() < 0.01  # the bump beyond the kick's waves
    with pytest.raises(ValueError, match="excite long waves only"):
        compare(TRUTH, found)
    with pytest.raises(ValueError, match="needs a field"):
        perturb(DoubleWell(), lags=1.0, every=0.5, pairs=16, kick="smooth", device="cpu")


@pytest.mark.parametrize(("system", "every", "lags"), [(AllenCahn(), 1.0, (5, 15, 30)), (NavierStokes(), 1 / 16, (0.5, 2.0, 4.0))])
def test_shipped_truths_of_smooth_kicks_are_known_to_a_twentieth_and_agree_with_those_of_a_pixel(system, every, lags):
    smooth = shipped_smooth_truth(system, 30.0, every)
    found = kick_error(load_shipped(f"{system.name}-truth"), smooth, kick_pattern(system.grid, "bump")) if every == 1.0 else None
    known = kick_error(smooth, smooth, kick_pattern(system.grid, "bump")).truth_error
    for lag in lags:
        assert 0 < known[round(lag / every)] < 0.05
    assert shipped_smooth_truth(replace(system, **({"alpha": 8.0} if every == 1.0 else {"nu": 2e-5})), 30.0, every) is None
    assert found is None or found.relative[1] < 0.1  # at later lags kicks of a pixel tell little of a bump


def test_the_command_line_learns_forecasts_and_combines(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made = ["simulate", "--system", "ornstein-uhlenbeck", "--preset", "tiny", "--members", "16", "--out", "series.npz"]
    assert main(made) == 0
    assert main(["fit-forecast", "series.npz", "--lags", "10", "--preset", "none", "--out", "ahead"]) == 0
    assert "stays unexplained" in capsys.readouterr().out
    assert main(["respond", "series.npz", "--lags", "10", "--forecast", "ahead", "--out", "both.npz"]) == 0
    assert Response.load("both.npz").form == "combined"
    assert main(["respond", "series.npz", "--lags", "10", "--form", "combined", "--out", "none.npz"]) == 2
    assert "needs a forecast" in capsys.readouterr().err
    assert main(["fit-forecast", "series.npz", "--lags", "100", "--out", "far"]) == 2


def test_the_kick_lab_says_when_its_answer_is_in_doubt():
    pixel, bump = (Predictions("allen-cahn", KickDesign(name, 1.0)) for name in ("pixel", "bump"))
    row = pixel.row(15.0)
    assert pixel.doubts(row) == []
    assert any("departs from the combined one" in words for words in bump.doubts(row))
    assert bump.caveats(row=row) == bump.doubts(row) and bump.caveats() == []


def test_the_sliders_of_lesson_15_show_a_product():
    lab = widgets.ErrorsMultiply()
    both = lab.view.errors["combined"]
    lab.controls["score"].value /= 2
    assert lab.view.errors["combined"] == pytest.approx(both / 2, rel=1e-3)
    lab.controls["forecast"].value = 0.0
    assert lab.view.errors["combined"] < 1e-6 < lab.view.errors["score"] and "by both 0.000" in lab.readout.value
    figure = panels.spoiled_well(views.SpoiledWell(DoubleWell()))
    assert len(figure.data) == 8
