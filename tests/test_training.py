"""Training: it finds the exact score from wherever it starts, and stops, resumes, saves and refuses as it says."""

import errno
import json
import math
import os
import random
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import safetensors.torch
import torch

from gfdt_tutorial import (
    AllenCahn,
    Budget,
    GaussianScore,
    LearnedScore,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    TimeSeries,
    Training,
    fit_score,
    sample,
    simulate,
)
from gfdt_tutorial.core.numerics import mean_in_double
from gfdt_tutorial.core.spectra import shell_mean
from gfdt_tutorial.scores import diagnostics, steins_identity
from gfdt_tutorial.scores.budgets import BUDGETS, budget, wide
from gfdt_tutorial.scores.fit import suited
from gfdt_tutorial.scores.matching import antithetic_loss, local_variance

LETTER = OrnsteinUhlenbeck()
SMALL = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)))
SHORT = Budget(steps=24, pairs=4, width=4, noise="white", filter_rate=0.1, average=0.5, check_every=5)


@lru_cache(maxsize=8)
def series(system=SMALL, members=16, duration=199.0, seed=1):
    return simulate(system, members=members, duration=duration, seed=seed, device="cpu")


def fit(data=None, budget=SHORT, *, start="wrong", device="cpu", **options):
    """From a wrong start, so that every look at the validation loss finds it lower, and the best is never where it began."""
    return fit_score(data or series(), budget=budget, start=start, calibrate=False, device=device, **options)


def begin(data=None, budget=SHORT, *, start="wrong", **options):
    return Training(data or series(), budget, start=start, device="cpu", **options)


def finish(run):
    for _ in run:
        pass
    return run


def assert_same_weights(one, other):
    for name, tensor in one.state_dict().items():
        assert tensor.equal(other.state_dict()[name]), name


def assert_same_run(one, other):
    for part in ("network", "average", "best"):
        assert_same_weights(getattr(one, part), getattr(other, part))
    assert (one.step, one.losses, one.averaged, one.validations) == (other.step, other.losses, other.averaged, other.validations)


def error(score, system):
    """Relative L2 distance to the exact score on clean data that training never saw."""
    fresh = series(system, members=4, seed=9).u
    return diagnostics.relative_error(score(fresh), system.score(fresh))


# --- learned against exact


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_score_of_the_letters_field_is_learned(seed):
    data = simulate(LETTER, members=64, duration=767, seed=seed, device="cpu")
    score = fit_score(data, preset="quick", seed=seed, device="cpu")
    assert error(score, LETTER) <= 0.05
    assert error(score, LETTER) < error(GaussianScore.fit(data), LETTER)  # whose spectrum is not smoothed


def from_wrong_start(system, chosen):
    return tuple(error(score, system) for score in (begin(series(system), chosen).score(), fit(series(system), chosen)))


@pytest.mark.slow
def test_a_wrong_start_is_forgotten():
    before, after = from_wrong_start(LETTER, Budget(steps=300, noise="white", level=0.05))
    assert before > 1
    assert after <= 0.10


HASTY = Budget(steps=120, pairs=8, width=4, noise="white", level=0.05, filter_rate=0.1, average=0.9, check_every=20)


def assert_a_wrong_start_is_corrected():
    before, after = from_wrong_start(OrnsteinUhlenbeck(grid=PeriodicGrid((16, 16))), HASTY)
    assert before > 1
    assert after < 0.4


def test_a_wrong_start_is_corrected():
    assert_a_wrong_start_is_corrected()


def test_that_test_fails_if_the_optimiser_takes_no_step(monkeypatch):
    monkeypatch.setattr(torch.optim.Adam, "step", lambda *args, **options: None)
    with pytest.raises(AssertionError):
        assert_a_wrong_start_is_corrected()


@pytest.mark.slow
def test_a_far_seeing_network_learns_the_score_of_a_gaussian_field_too():
    """Gates, smoothed inputs and even weights must not spoil what is simple."""
    data = series(LETTER, members=16, duration=99.0)
    chosen = replace(budget("quick", kind="intermittent"), kernels=(5, 3), width=8, steps=60, level=0.15)
    assert error(fit(data, chosen, start="gaussian"), LETTER) < 0.1


def test_what_is_not_gaussian_is_learned_too():
    """Independent pixels u = ±1 + 0.5 η, s = (tanh(u/τ²) − u)/τ²: the Gaussian score of the same data errs by 85 %."""
    rng, tau = torch.Generator().manual_seed(0), 0.5
    u = 2.0 * torch.randint(2, (16, 100, 8, 8), generator=rng) - 1 + tau * torch.randn(16, 100, 8, 8, generator=rng)
    data, exact = TimeSeries(u, torch.arange(100.0)), (torch.tanh(u / tau**2) - u) / tau**2
    learned = fit(data, Budget(steps=200, pairs=16, width=16, kernels=(1, 1), level=0.1, noise="white", rate=1e-2), start="gaussian")
    gaussian = GaussianScore.fit(data)
    assert diagnostics.relative_error(learned(u), exact) < 0.4
    assert diagnostics.relative_error(gaussian(u), exact) > 0.8
    assert steins_identity.cubic_stein(u, learned(u)) == pytest.approx(1, abs=0.15)
    assert steins_identity.cubic_stein(u, gaussian(u)) < 0.7


@pytest.mark.slow
def test_a_context_that_fixes_the_mean_of_the_field_is_used():
    rng = torch.Generator().manual_seed(0)
    context = torch.randn(16, 50, 1, 8, 8, generator=rng)
    u = context[:, :, 0] + 0.5 * torch.randn(16, 50, 8, 8, generator=rng)  # s = −(u − c) / 0.25
    data = TimeSeries(u, torch.arange(50.0), context=3 * context + 7)
    chosen = Budget(steps=150, pairs=16, width=16, kernels=(1, 1), level=0.15, noise="white", rate=1e-2)
    with_it, without = (fit(data, chosen, context=given, start="gaussian") for given in (True, False))
    assert with_it.metrics["validation"] < 2 * without.metrics["validation"] < 0  # −½ ⟨s²⟩ at best: four times lower, less the noise
    exact = -(u - context[:, :, 0]) / 0.25
    assert diagnostics.relative_error(with_it(u, data.context), exact) < 0.35 < 0.7 < diagnostics.relative_error(without(u), exact)


# --- determinism


@pytest.mark.parametrize("options", [{}, {"noise_levels": True}], ids=str)
def test_seeds_decide(options):
    first, again, other = (finish(begin(seed=seed, **options)) for seed in (1, 1, 2))
    assert_same_run(first, again)
    assert first.losses != other.losses
    assert not first.batch(first.fitted, 4, 0)[1].equal(other.batch(other.fitted, 4, 0)[1])
    assert not first.network.layers[0].weight.equal(other.network.layers[0].weight)


def test_the_callers_random_numbers_are_untouched():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    fit()
    assert before.equal(torch.get_rng_state())


def test_loading_leaves_the_callers_random_numbers_untouched(tmp_path):
    folder, before = fit().save(tmp_path), torch.get_rng_state()
    LearnedScore.load(folder)
    assert before.equal(torch.get_rng_state())


# --- what suits the data, and the last step


def steep(sharpness):
    """A field whose small scales carry next to nothing."""
    data = series(OrnsteinUhlenbeck(grid=PeriodicGrid((16, 16))), duration=20.0)
    return TimeSeries(data.grid.apply(torch.exp(-sharpness * data.grid.k_squared), data.u), data.times)


def test_the_noise_suits_the_spectrum():
    two_phases = AllenCahn(grid=PeriodicGrid((8, 8)), epsilon=4 * AllenCahn().epsilon)
    for data in (series(), series(two_phases, duration=20.0), series(LETTER, members=4, duration=20.0), steep(0.0)):
        assert suited(data) == budget("quick", kind="white")
    assert suited(steep(0.03)) == budget("quick")
    assert suited(steep(0.03), preset="paper") == budget("paper")
    assert (suited(series()).noise, suited(steep(0.03)).noise) == ("white", "data")


def test_small_fields_come_in_larger_batches():
    few = TimeSeries(torch.randn(8, 50, 16, generator=torch.Generator().manual_seed(0)), torch.arange(50.0), "mtx")
    assert (suited(few).pairs, suited(few, preset="tiny").pairs) == (4 * budget("quick").pairs, 4 * budget("tiny").pairs)
    assert replace(suited(few), pairs=32) == wide(budget("quick", kind="white"))


def test_two_sites_are_a_field_that_every_preset_suits():
    pair = TimeSeries(torch.randn(8, 50, 2, generator=torch.Generator().manual_seed(0)), torch.arange(50.0), "mtx")
    assert suited(pair).kernels == (5, 5, 1)
    assert math.isfinite(fit_score(pair, preset="tiny").metrics["validation"])


@pytest.mark.parametrize("levels", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_score_of_a_single_number_is_learned(levels, tmp_path):
    """u = ±1 + 0.4 z, whose score is [tanh(u / 0.16) − u] / 0.16."""
    rng = torch.Generator().manual_seed(0)
    u = torch.randint(0, 2, (8, 2000), generator=rng) * 2.0 - 1 + 0.4 * torch.randn(8, 2000, generator=rng)
    data, some = TimeSeries(u, torch.arange(2000.0), "mt"), torch.linspace(-2, 2, 81)
    score = fit_score(data, preset="quick", noise_levels=levels)
    assert LearnedScore.load(score.save(tmp_path))(some).equal(score(some))
    if levels:
        assert diagnostics.kurtosis(sample(score, 2000)) == pytest.approx(diagnostics.kurtosis(u), abs=0.15)
        return
    exact = ((some / 0.16).tanh() - some) / 0.16
    assert diagnostics.relative_error(score(u), ((u / 0.16).tanh() - u) / 0.16) < 0.2
    assert diagnostics.relative_error(GaussianScore.fit(data)(some), exact) > 0.6


def test_the_weakest_wavevector_decides_at_ten_times_the_noise():
    grid, white = PeriodicGrid((8, 8)), budget("quick", kind="white")
    flat = torch.randn(16, 400, 8, 8, generator=torch.Generator().manual_seed(0))
    for ratio, noise in ((13.0, "white"), (7.0, "data")):
        weak = torch.where(grid.k_squared == 32, ratio * white.level**2, 1.0).sqrt()
        assert suited(TimeSeries(grid.apply(weak, flat), torch.arange(400.0))).noise == noise


def patchy(spread=1.0):
    """Steep noise whose strength varies smoothly from place to place, e^(spread · g)."""
    grid, rng = PeriodicGrid((16, 16)), torch.Generator().manual_seed(0)
    smooth = grid.apply(torch.exp(-grid.k_squared / 8), torch.randn(16, 40, *grid.shape, generator=rng))
    smooth = smooth / smooth.std()
    weaker = torch.exp(-0.06 * grid.k_squared)
    return TimeSeries(grid.apply(weaker, torch.exp(spread * smooth) * torch.randn(smooth.shape, generator=rng)), torch.arange(40.0))


def test_a_patchy_field_gets_a_network_that_sees_far():
    assert suited(patchy(0.6)) == budget("quick", kind="intermittent")
    assert suited(patchy(0.1)) == budget("quick")
    far = budget("quick", kind="intermittent")
    assert far.gated and budget("standard", kind="intermittent").reach > 0 and sum(far.kernels) > sum(budget("quick").kernels)
    with pytest.raises(ValueError, match="kind 'pink' is unknown"):
        budget("quick", kind="pink")


def test_even_weights_leave_the_minimum_where_it_is():
    """The score of Gaussian noise is −y at every level, so a factor before it has its least loss at one, whatever the weight."""
    grid, angle = PeriodicGrid((16, 16)), torch.full((4096,), math.atan(0.3))
    rng = torch.Generator().manual_seed(2)
    w, z = torch.randn(2, 4096, 16, 16, generator=rng)

    def slope(loss, factor, **options):
        a = torch.tensor(factor, requires_grad=True)

        def network(y, context, angles):
            return -a * y

        network.grid, network.takes_angle = grid, False
        loss(network, w, z, angle, **options).backward()
        return float(a.grad)

    for reach in (0.0, 2.0):
        assert abs(slope(antithetic_loss, 1.0, reach=reach)) < 0.01
        assert slope(antithetic_loss, 1.1, reach=reach) > 0.05 and slope(antithetic_loss, 0.9, reach=reach) < -0.05


def test_local_variance_is_the_mean_square_nearby():
    grid = PeriodicGrid((16, 16))
    spot = torch.zeros(16, 16)
    spot[4, 5] = 3.0
    around = local_variance(grid, spot, 2.0)
    assert float(around.sum()) == pytest.approx(9.0, rel=1e-3)
    assert float(around[4, 5]) == pytest.approx(9.0 / (2 * math.pi * 4), rel=0.02)
    assert float(around[4, 7] / around[4, 5]) == pytest.approx(math.exp(-0.5), rel=0.02)


def test_the_least_noise_of_all_levels_is_larger_and_suits_fewer_spectra():
    assert suited(steep(0.0), noise_levels=True) == budget("quick", kind="white", noise_levels=True)
    assert suited(series(LETTER, members=4, duration=20.0), noise_levels=True) == suited(steep(0.03), noise_levels=True) == budget("quick")


def test_white_noise_is_a_budget_for_every_preset():
    for name in BUDGETS:
        white, levels, data = budget(name, kind="white"), budget(name, kind="white", noise_levels=True), budget(name)
        assert (white.steps, white.pairs, white.width) == (data.steps, data.pairs, data.width)
        assert (levels.steps * levels.pairs, levels.width) == (data.steps * data.pairs, data.width)  # as many fields
        assert (white.noise, levels.noise, data.noise) == ("white", "white", "data")
        assert white.level < levels.level < data.level
        assert budget(name, kind="data", noise_levels=True) == data


def test_a_preset_comes_with_the_noise_that_suits():
    assert fit_score(series(), preset="tiny", device="cpu").config["noise"] == "white"
    assert fit_score(series(), preset="tiny", noise_levels=True, device="cpu").config["noise"] == "white"
    for levels in (False, True):
        assert fit_score(steep(0.03), preset="tiny", noise_levels=levels, device="cpu").config["noise"] == "data"


def test_a_fit_ends_with_a_calibration_unless_told_otherwise():
    chosen = replace(SHORT, noise="data")
    tuned, plain = (fit_score(series(), budget=chosen, calibrate=calibrate, device="cpu") for calibrate in (True, False))
    assert plain.correction is None
    assert_same_weights(tuned.network, plain.network)
    assert tuned.metrics == plain.metrics
    fitted = begin(start="gaussian", budget=chosen).fitted
    assert tuned.correction.equal(plain.calibrated(fitted).correction)
    grid, off = fitted.grid, []
    for score in (tuned, plain):
        identity = shell_mean(grid, steins_identity.stein(grid, fitted.u, score(fitted.u)).real)
        off.append(float((identity - 1).abs().max()))
    assert off[0] < 1e-4 < 5e-3 < off[1]


def test_an_interrupted_fit_is_calibrated_too(monkeypatch):
    interrupt_at(monkeypatch, 13)
    part = fit_score(series(), budget=SHORT, device="cpu")
    assert part.metrics["interrupted"] is True
    assert part.correction is not None


# --- the best is kept


def test_the_best_by_validation_is_kept():
    run = finish(begin())
    best = run.score()
    assert best.metrics["validation"] == min(value for _, value in run.validations)
    with torch.no_grad():
        for weights in run.average.parameters():
            weights.add_(1.0)  # poison
    run._check()
    assert run.validations[-1][1] > best.metrics["validation"]
    assert_same_weights(run.score().network, best.network)
    assert_same_weights(run.best, best.network)


def test_a_score_is_not_moved_by_further_training():
    run = begin()
    first = run.score()
    at_start = first(series().u[0, 0])
    finish(run)
    assert first(series().u[0, 0]).equal(at_start)
    assert not run.score()(series().u[0, 0]).equal(at_start)


def test_training_lowers_the_validation_loss():
    losses = [value for _, value in finish(begin()).validations]
    assert len(losses) == 6  # at steps 0, 5, 10, 15, 20, 24
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.5


def test_both_losses_can_be_compared_as_they_are_of_the_same_weights():
    """The newest weights are far ahead of a slow average: beside their loss, the validation loss of the average looks like overfitting."""
    run = begin(series(LETTER, 8, 63.0), replace(SHORT, steps=20, average=0.98, rate=1e-2))
    finish(run)
    (step, training), (_, validation) = run.averaged[-1], run.validations[-1]
    newest = sum(run.losses[-5:]) / 5
    assert step == 20 and [step for step, _ in run.averaged] == [step for step, _ in run.validations]
    assert abs(validation - training) < 0.1 * (training - newest)


# --- interrupt and resume


@lru_cache(maxsize=4)
def uninterrupted(levels):
    return finish(begin(noise_levels=levels))


@pytest.mark.parametrize("case", range(int(os.environ.get("GFDT_INTERRUPTS", "5"))))
def test_resumed_runs_end_with_the_same_bits(case, tmp_path):
    rng = random.Random(case)
    levels, stops = case % 2 == 1, sorted(rng.sample(range(SHORT.steps), 2))
    for stop in stops:  # interrupted twice
        run = begin(noise_levels=levels)
        if (tmp_path / "run").exists():
            run.resume(tmp_path / "run")
        while run.step < stop:
            next(iter(run))
        run.save(tmp_path / "run")
        finish(run)  # what is done after saving is lost
    assert_same_run(finish(begin(noise_levels=levels).resume(tmp_path / "run")), uninterrupted(levels))


def interrupt_at(monkeypatch, step, *, after=False):
    """Ctrl-C before this step, or just after Adam took it and before the step is counted."""
    name = "step" if after else "zero_grad"
    original, taken = getattr(torch.optim.Adam, name), iter(range(10**6))

    def struck(self, *args, **options):
        strike = next(taken) == step
        if not strike or after:
            original(self, *args, **options)
        if strike:
            raise KeyboardInterrupt

    monkeypatch.setattr(torch.optim.Adam, name, struck)


def test_an_interrupted_fit_returns_the_best_so_far_and_goes_on_from_its_checkpoint(monkeypatch, tmp_path):
    whole, path = fit(), tmp_path / "fit.safetensors"
    with monkeypatch.context() as patch:
        interrupt_at(patch, 13)
        part = fit(checkpoint=path)
    assert part.metrics["interrupted"] is True
    assert part.metrics["steps"] == begin().resume(path).step == 13
    assert part(series().u[0, 0]).isfinite().all()
    resumed = fit(checkpoint=path)
    assert resumed.metrics["interrupted"] is False
    assert resumed.metrics == whole.metrics
    assert_same_weights(resumed.network, whole.network)


def test_an_interrupt_in_the_middle_of_a_step_is_resumed_exactly(monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        interrupt_at(patch, 13, after=True)
        fit(checkpoint=tmp_path / "fit")
    assert_same_weights(fit(checkpoint=tmp_path / "fit").network, fit().network)


def test_a_killed_fit_goes_on_from_its_last_checkpoint(monkeypatch, tmp_path):
    def killed(*args):
        raise RuntimeError("killed")

    advance = Training._advance
    with monkeypatch.context() as patch:
        patch.setattr(Training, "_advance", lambda self: advance(self) if self.step < 17 else killed())
        with pytest.raises(RuntimeError, match="killed"):
            fit(checkpoint=tmp_path / "fit")
    assert begin().resume(tmp_path / "fit").step == 15
    assert_same_weights(fit(checkpoint=tmp_path / "fit").network, fit().network)


def test_an_interrupt_after_the_last_step_loses_none(monkeypatch, tmp_path):
    def struck(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(LearnedScore, "calibrated", struck)
    with pytest.raises(KeyboardInterrupt):
        fit_score(series(), budget=SHORT, device="cpu", checkpoint=tmp_path / "fit")
    assert begin(start="gaussian").resume(tmp_path / "fit").step == SHORT.steps


def test_a_checkpoint_that_cannot_be_written_shows_before_the_first_step(monkeypatch, tmp_path):
    monkeypatch.setattr(Training, "_advance", lambda self: pytest.fail("a step was taken"))
    with pytest.raises(FileNotFoundError, match="does not exist"):
        fit(checkpoint=tmp_path / "nowhere" / "fit")


def test_a_checkpoint_is_taken_up_on_another_number_of_threads(monkeypatch, tmp_path):
    begin().save(tmp_path / "run")
    mean = mean_in_double
    monkeypatch.setattr(
        "gfdt_tutorial.scores.training.mean_in_double", lambda fields: math.nextafter(mean(fields), 1.0)
    )  # as another order of summation rounds
    assert begin().resume(tmp_path / "run").step == 0


def test_a_finished_fit_is_not_repeated(tmp_path, monkeypatch):
    chosen = replace(SHORT, steps=20)
    done = fit(budget=chosen, checkpoint=tmp_path / "fit")
    monkeypatch.setattr(Training, "_advance", lambda self: pytest.fail("a step was taken"))
    assert_same_weights(fit(budget=chosen, checkpoint=tmp_path / "fit").network, done.network)


# --- checkpoints of others


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 1},
        {"noise_levels": True},
        {"start": "gaussian"},
        {"budget": replace(SHORT, width=5)},
        {"budget": replace(SHORT, level=0.2)},
    ],
    ids=str,
)
def test_the_checkpoint_of_another_training_is_refused(other, tmp_path):
    begin().save(tmp_path / "run")
    with pytest.raises(ValueError, match="belongs to another training"):
        begin(**other).resume(tmp_path / "run")


@pytest.mark.parametrize("what", ["data", "pairs"])
def test_the_checkpoint_of_other_data_or_another_budget_is_refused(what, tmp_path):
    begin().save(tmp_path / "run")
    other = begin(series(seed=4)) if what == "data" else begin(budget=replace(SHORT, pairs=8))
    with pytest.raises(ValueError, match="belongs to another training"):
        other.resume(tmp_path / "run")


def test_damaged_checkpoints_are_refused_and_missing_ones_are_no_files(tmp_path):
    path, run = tmp_path / "run", begin()
    content = run.save(path).read_bytes()
    other_tool = safetensors.torch.save({"weights": torch.zeros(3)})
    for damaged in (b"", content[: len(content) // 2], content[:-1], b"nonsense" * 99, other_tool):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is not a readable checkpoint"):
            run.resume(path)
    with pytest.raises(OSError):
        run.resume(tmp_path / "nowhere")


# --- scores on disk


def trained(context=False, **options):
    plain = series()
    channel = torch.randn(*plain.u.shape[:2], 1, 8, 8, generator=torch.Generator().manual_seed(0)) if context else None
    return fit(TimeSeries(plain.u, plain.times, context=channel), context=context, **options), channel


@pytest.mark.parametrize("options", [{}, {"noise_levels": True}, {"context": True}], ids=str)
def test_saved_and_loaded_scores_are_equal_to_the_bit(options, tmp_path):
    score, channel = trained(**options)
    loaded, u = LearnedScore.load(score.save(tmp_path / "new" / "folder")), series().u[:2]
    given = () if channel is None else (channel[:2],)
    assert loaded(u, *given).equal(score(u, *given))
    assert loaded(u, *given, sigma=0.15).equal(score(u, *given, sigma=0.15))
    assert (loaded.mean, loaded.config, loaded.metrics, loaded.grid) == (score.mean, score.config, score.metrics, score.grid)


def test_the_correction_of_a_calibrated_score_is_saved_and_loaded(tmp_path):
    score, u = fit().calibrated(series()), series().u[:2]
    loaded = LearnedScore.load(score.save(tmp_path))
    assert loaded.correction.equal(score.correction)
    assert loaded(u).equal(score(u))
    assert loaded.to("cpu")(u).equal(score(u))
    assert not loaded(u).equal(fit()(u))


def test_a_line_of_other_length_is_saved_and_loaded(tmp_path):
    score = fit(series(OrnsteinUhlenbeck(grid=PeriodicGrid((24,), lengths=(5.0,)))))
    assert LearnedScore.load(score.save(tmp_path)).grid == PeriodicGrid((24,), lengths=(5.0,))


@pytest.mark.parametrize("name", ["weights.safetensors", "score.json"])
def test_damaged_and_missing_files_are_refused(name, tmp_path):
    content = (fit().save(tmp_path) / name).read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    for damaged in (b"", content[: len(content) // 2], bytes(flipped), b"[]"):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged"):
            LearnedScore.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(OSError, match=name):
        LearnedScore.load(tmp_path)


def test_the_weights_of_another_score_are_refused(tmp_path):
    one, other = fit(seed=1).save(tmp_path / "one"), fit(seed=2).save(tmp_path / "other")
    (one / "weights.safetensors").write_bytes((other / "weights.safetensors").read_bytes())
    with pytest.raises(ValueError, match="or of another score"):
        LearnedScore.load(one)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "written in format 99; this version reads formats 1 and 2"),
        ({"config": {}}, "config"),
        ({"width": 7}, "do not fit its config"),
    ],
    ids=str,
)
def test_a_description_that_does_not_fit_is_refused(change, message, tmp_path):
    path = fit().save(tmp_path) / "score.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    about = about | {"config": about["config"] | change} if "width" in change else about | change
    path.write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        LearnedScore.load(tmp_path)


def fill_the_disk(monkeypatch, *, after=0):
    sync, calls = os.fsync, iter(range(99))

    def full(handle):
        if next(calls) >= after:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    monkeypatch.setattr(os, "fsync", full)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_full_disk_leaves_the_old_files_and_nothing_half_written(monkeypatch, tmp_path):
    run = begin()
    run.score().save(tmp_path)
    run.save(tmp_path / "run")
    before = contents(tmp_path)
    finish(run)
    fill_the_disk(monkeypatch)
    for save in (lambda: run.save(tmp_path / "run"), lambda: run.score().save(tmp_path)):
        with pytest.raises(OSError, match="No space left"):
            save()
    assert contents(tmp_path) == before


def test_a_disk_that_fills_between_the_two_files_leaves_a_score(monkeypatch, tmp_path):
    run = begin()
    run.score().save(tmp_path)
    finish(run)
    fill_the_disk(monkeypatch, after=1)
    with pytest.raises(OSError, match="No space left"):
        run.score().save(tmp_path)
    LearnedScore.load(tmp_path)


# --- bad input


def constant(shape=(8, 20, 8, 8)):
    return TimeSeries(torch.full(shape, 3.0), torch.arange(float(shape[1])))


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (constant, {}, "carry no variance: the data are constant"),
        (lambda: series(members=1, duration=9.0), {}, r"cannot split 10 samples at a .* of 0\.8: a part would be too short"),
        (series, {"validation": 1.5}, "validation is 1.5"),
        (series, {"validation": 0}, "validation is 0"),
        (series, {"context": True}, "the series carries none"),
        (series, {"start": "random"}, "start 'random' is unknown; expected one of 'gaussian', 'wrong'"),
        (series, {"budget": replace(SHORT, noise="data")}, 'needs a budget with noise="white"'),
        (series, {"seed": -1}, "seed is -1"),
        (series, {"seed": 0.5}, "seed is 0.5"),
        (series, {"device": "cuda:99"}, "not available on this machine"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_trainings_that_cannot_be_are_refused(data, options, message):
    with pytest.raises(ValueError, match=message):
        fit(data(), **options)


def test_fields_without_a_wavevector_are_refused():
    data = series()
    with pytest.raises(ValueError, match="1 of 40 wavevectors carry no variance"):
        fit(TimeSeries(data.u - data.u.mean((-2, -1), keepdim=True), data.times))


def test_a_member_that_stands_still_is_no_lack_of_variance():
    u = series().u.clone()
    u[3] = 0.1
    assert math.isfinite(fit_score(TimeSeries(u, series().times), preset="tiny").metrics["validation"])


def test_data_with_a_hole_do_not_get_this_far():
    u = series().u.clone()
    u[3, 5, 2, 2] = math.nan
    with pytest.raises(ValueError, match=r"u has 1 values that are NaN or infinite, the first at index \(3, 5, 2, 2\)"):
        TimeSeries(u, series().times)


def test_a_loss_that_overflows_is_an_error():
    run = begin(budget=replace(SHORT, rate=1e30))
    with pytest.raises(ValueError, match=r"not finite at step \d+: try a Budget with a smaller rate"):
        finish(run)
    assert run.score()(series().u[0, 0]).isfinite().all()


def test_presets_have_names():
    assert [budget(name) for name in ("tiny", "quick", "standard", "paper")] == list(BUDGETS.values())
    with pytest.raises(ValueError, match="preset 'huge' is unknown; expected one of 'tiny', 'quick', 'standard', 'paper'"):
        fit_score(series(), preset="huge")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in ("steps", "pairs", "width", "check_every") for value in (0, -1, 2.5, True, "many")],
        *[(name, value) for name in ("level", "rate", "filter_rate") for value in (0, -0.1, math.nan, math.inf, "much")],
        ("noise", "pink"),
        ("kernels", (5, 0)),
        ("kernels", (5, 4)),
    ],
    ids=str,
)
def test_budgets_that_cannot_be_are_refused(name, value):
    with pytest.raises(ValueError, match="a kernel side|even side" if name == "kernels" else f"{name} "):
        Budget(**{"steps": 10, name: value})


@pytest.mark.parametrize(
    ("name", "value"), [("average", 1.0), ("average", -0.1), ("average", math.nan), ("kernels", ()), ("kernels", 5)], ids=str
)
def test_more_budgets_that_cannot_be_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        Budget(**{"steps": 10, name: value})


def test_numbers_of_a_budget_are_whole_or_not_as_they_should_be():
    chosen = Budget(steps=2.0, pairs=np.int64(4), width=4.0, check_every=1.0, level=np.float32(0.25))
    assert json.loads(json.dumps(vars(chosen)))["pairs"] == 4
    assert fit(budget=chosen, start="gaussian").metrics["steps"] == 2


def test_kernels_wider_than_the_field_are_refused():
    with pytest.raises(ValueError, match="kernel"):
        begin(budget=replace(SHORT, kernels=(19,)))
