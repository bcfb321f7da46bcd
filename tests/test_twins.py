"""The kicked experiment, and the comparison with it: twins against the closed form, errors against what they should be."""

import json
import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import torch

from gfdt_tutorial import (
    AllenCahn,
    DivergedError,
    OrnsteinUhlenbeck,
    PeriodicGrid,
    Response,
    compare,
    exact_response,
    kick_pattern,
    perturb,
)
from gfdt_tutorial.responses import kicked_twins, twin_runs, twins
from gfdt_tutorial.responses.errors import error_sources, wave_errors
from gfdt_tutorial.responses.kick_patterns import PATTERNS, bump_spectrum
from gfdt_tutorial.responses.symmetries import check_symmetries, symmetrise
from gfdt_tutorial.responses.twins import Twins

LETTER = OrnsteinUhlenbeck()
SMALL = OrnsteinUhlenbeck(grid=PeriodicGrid((4, 6)))
CHAOTIC = AllenCahn(grid=PeriodicGrid((8, 8)), epsilon=4 * AllenCahn().epsilon)  # the letter's noise against its double well
GRIDS = [PeriodicGrid((33,)), PeriodicGrid((64,)), PeriodicGrid((24, 48)), PeriodicGrid((9, 7), lengths=(5.0, 3.0))]


@lru_cache(maxsize=8)
def signed(system=LETTER, lags=40.0, pairs=1024, seed=1):
    return perturb(system, lags=lags, pairs=pairs, kick="random signs", control=False, seed=seed, device="cpu")


# --- the experiment


@pytest.mark.parametrize("grid", [LETTER.grid, *GRIDS], ids=str)
def test_twins_kicked_at_one_pixel_equal_the_closed_form(grid):
    """The system is linear and the twins share their noise, which cancels in their difference: no average is needed."""
    system = OrnsteinUhlenbeck(grid=grid)
    truth = perturb(system, lags=90.0, pairs=16, device="cpu")
    torch.testing.assert_close(truth.values, exact_response(system, lags=90.0).values, atol=1e-5, rtol=0)
    assert truth.standard_error.max() < 2e-4  # rounding


@pytest.mark.parametrize("amplitude", [1 / 256, 1.0])
def test_the_size_of_the_kick_is_divided_out(amplitude):
    truth = perturb(LETTER, lags=20.0, pairs=16, amplitude=amplitude, device="cpu")
    torch.testing.assert_close(truth.values, exact_response(LETTER, lags=20.0).values, atol=5e-6 / min(1, 16 * amplitude), rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_random_signs_scatter_as_their_standard_error_says(seed):
    truth, exact = signed(seed=seed), exact_response(LETTER, lags=40.0)
    scatters = truth.standard_error > 1e-6  # not R(0) at its own pixel, which every pair has right
    z = ((truth.values - exact.values) / truth.standard_error)[scatters]
    assert scatters.float().mean() > 0.999
    assert 0.8 < z.var() < 1.25
    assert (z.abs() > 3).float().mean() <= 0.006


@pytest.mark.slow
def test_random_signs_err_by_the_norm_of_the_response_over_root_n():
    """L2 = (‖J‖²/n)^½, J one column of the propagator, here the response itself."""
    exact = exact_response(LETTER, lags=40.0)
    expected = exact.values.flatten(1).norm(dim=1).double() / math.sqrt(1024)
    measured = torch.stack([compare(signed(seed=seed), exact).l2 for seed in (1, 2)]).square().mean(0).sqrt()
    torch.testing.assert_close(measured, expected, rtol=0.12, atol=0)


def test_random_signs_and_one_pixel_tell_the_same():
    system = OrnsteinUhlenbeck(grid=PeriodicGrid((12, 16)))
    pixel, signs = perturb(system, lags=10.0, pairs=16, device="cpu"), signed(system, lags=10.0, pairs=1024)
    error = compare(signs, pixel).l2.square()
    assert float((error / (pixel.values.square().sum((-2, -1)) / 1024)).mean()) == pytest.approx(1, abs=0.5)


@pytest.mark.parametrize("kick", ["pixel", "random signs"])
def test_pairs_stepped_together_change_the_rounding_only(kick, monkeypatch):
    whole = perturb(SMALL, lags=10.0, pairs=100, kick=kick, device="cpu")
    monkeypatch.setattr(twins, "BATCH", 3)
    torch.testing.assert_close(perturb(SMALL, lags=10.0, pairs=100, kick=kick, device="cpu").values, whole.values, atol=1e-5, rtol=0)


def test_seeds_decide():
    first, again, other = (perturb(SMALL, lags=5.0, pairs=16, kick="random signs", seed=seed, device="cpu").values for seed in (1, 1, 2))
    assert first.equal(again)
    assert not first.equal(other)


def test_parts_and_halves_average_to_the_whole():
    truth = signed(SMALL, lags=10.0, pairs=4096)
    assert truth.parts.shape == (16, 11, 4, 6)
    torch.testing.assert_close(truth.parts.mean(0), truth.values, atol=1e-6, rtol=0)
    torch.testing.assert_close(truth.halves.mean(0), truth.values, atol=1e-6, rtol=0)
    spread = truth.parts.std(0).square().mean() / 16  # independent parts scatter as the pairs do
    assert float(spread / truth.standard_error.square().mean()) == pytest.approx(1, abs=0.2)


def test_an_uneven_number_of_pairs_is_shared_out():
    pixel, parts = perturb(SMALL, lags=5.0, pairs=37, device="cpu"), 16
    torch.testing.assert_close(pixel.parts, pixel.values.expand(parts, *pixel.values.shape), atol=1e-5, rtol=0)
    assert (pixel.dof, pixel.info["pairs"], pixel.method) == (36, 37, "dynamical")


def test_lags_may_be_finer_than_one():
    truth = perturb(SMALL, lags=2.0, every=0.25, pairs=16, device="cpu")
    assert truth.times.tolist() == [0.25 * i for i in range(9)]
    torch.testing.assert_close(truth.values, SMALL.response(truth.times), atol=1e-5, rtol=0)


def test_lags_between_two_samples_are_rounded_with_a_warning():
    with pytest.warns(UserWarning, match=r"lags=2\.1 is not a multiple of the sampling interval 0\.25; 2 is used instead") as caught:
        truth = perturb(SMALL, lags=2.1, every=0.25, pairs=16, device="cpu")
    assert truth.times.tolist() == [0.25 * i for i in range(9)]
    assert [warning.filename for warning in caught if warning.category is UserWarning] == [__file__]


def test_spacings_and_parameters_may_come_from_numpy(tmp_path):
    system = replace(SMALL, lam=np.float32(0.04), epsilon=torch.tensor(0.06))
    truth = perturb(system, lags=4, pairs=16, every=np.int64(2), device="cpu", checkpoint=tmp_path / "checkpoint")
    assert Response.load(truth.save(tmp_path / "truth.npz")).info["every"] == 2
    assert truth.info["parameters"]["lam"] == pytest.approx(0.04)


def test_a_twin_that_diverges_is_an_error_and_no_truth():
    class Explosive(OrnsteinUhlenbeck):
        def stepper(self, every, device):
            return lambda spectra, noise: spectra * math.inf

    with pytest.raises(DivergedError, match="diverged"):
        perturb(Explosive(grid=SMALL.grid), lags=20.0, pairs=16, device="cpu")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pairs": 15}, "pairs is 15; expected a whole number ≥ 16"),
        ({"pairs": 63, "restarts": 4}, "pairs is 63; expected a whole number ≥ 64"),
        ({"pairs": 66, "restarts": 4}, "pairs is 66; expected a multiple of restarts, 4"),
        ({"restarts": 0}, "restarts is 0; expected a whole number ≥ 1"),
        ({"symmetries": "sign"}, "symmetries is the text 'sign'; give a tuple"),
        ({"symmetries": ("transpose",)}, "cannot be exchanged on a box of shape"),
        ({"kick": "hammer"}, "kick 'hammer' is unknown; expected one of 'pixel', 'random signs'"),
        ({"amplitude": 0.0}, "amplitude is 0.0"),
        ({"amplitude": math.nan}, "amplitude is nan"),
        ({"lags": -1.0}, "lags is -1.0"),
        ({"lags": 0.4}, "lags / every is 0"),
        ({"every": 0.0}, "every is 0.0"),
        ({"spinup": -1.0}, "spinup is -1.0"),
        ({"seed": -1}, "seed is -1"),
        ({"device": "cuda:99"}, "not available on this machine"),
        ({"confidence": 1.0}, "a probability between 0 and 1"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "-".join(value),
)
def test_experiments_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        perturb(SMALL, **{"lags": 3.0, "pairs": 16, "device": "cpu"} | arguments)


def test_a_level_is_checked_before_the_experiment(monkeypatch):
    monkeypatch.setattr(twin_runs, "Trajectory", lambda *args: pytest.fail("the twins were run first"))
    with pytest.raises(ValueError, match="a probability"):
        perturb(SMALL, lags=3.0, pairs=16, confidence=90, device="cpu")


# --- less noise from as many pairs


@lru_cache(maxsize=8)
def chaotic(control=True, restarts=1, kick="random signs", seed=3, symmetries=()):
    return perturb(
        CHAOTIC, lags=1.0, every=0.125, pairs=512, kick=kick, restarts=restarts, control=control, symmetries=symmetries, spinup=6.0,
        seed=seed, device="cpu",
    )  # fmt: skip


@pytest.mark.parametrize("grid", [PeriodicGrid((9,)), PeriodicGrid((4, 6)), PeriodicGrid((5, 3))], ids=str)
@pytest.mark.parametrize("restarts", [1, 2])
def test_control_makes_random_signs_exact_in_a_linear_system(grid, restarts):
    system = OrnsteinUhlenbeck(grid=grid)
    truth = perturb(system, lags=10.0, pairs=320, kick="random signs", restarts=restarts, device="cpu")
    exact = exact_response(system, lags=10.0).values
    torch.testing.assert_close(truth.values, exact, atol=2e-5, rtol=0)
    torch.testing.assert_close(truth.parts, exact.expand_as(truth.parts), atol=1e-4, rtol=0)
    raw = perturb(system, lags=10.0, pairs=320, kick="random signs", restarts=restarts, control=False, device="cpu")
    assert (raw.values - exact).abs().max() > 0.01


def scatter(truth):
    """Of the parts, one number a lag."""
    return truth.parts.var(0).mean((-2, -1)).sqrt()


@pytest.mark.slow
def test_control_takes_the_chance_of_the_signs_out_of_a_chaotic_system():
    with_it, without = chaotic(), chaotic(control=False)
    assert (scatter(with_it)[0], scatter(with_it)[1] / scatter(without)[1]) < (1e-5, 0.5)
    assert (scatter(with_it) < 1.02 * scatter(without)).all()
    torch.testing.assert_close(with_it.standard_error.square().mean((-2, -1)).sqrt(), scatter(with_it) / 4, rtol=1e-3, atol=1e-6)
    z = ((with_it.values - without.values) / without.standard_error)[1:]
    assert z.abs().max() < 4.5  # of 512
    assert with_it.dof == 15


def test_the_control_of_a_part_is_taken_from_the_others():
    """Its own noise stays in it whole, and reaches every other part."""
    experiment = Twins(SMALL, lags=2.0, pairs=32, seed=1, kick="random signs", device="cpu")
    list(experiment)
    before = experiment.response().parts
    experiment.sums[3, 1:] += 1  # of two pairs
    change = experiment.response().parts - before
    torch.testing.assert_close(change[3, 1:], torch.full((2, 4, 6), 0.5), atol=1e-5, rtol=0)
    assert all(each[1:].abs().max() > 1e-4 for each in change)


@pytest.mark.slow
def test_controlled_signs_tell_what_one_pixel_tells_and_scatter_as_their_standard_error_says():
    truth = chaotic()
    for other in (chaotic(kick="pixel"), chaotic(seed=4)):
        error = (truth.standard_error.square() + other.standard_error.square()).sqrt()
        z = ((truth.values - other.values) / error)[2:]
        assert float(z.square().mean()) == pytest.approx(1.1, abs=0.4)  # 448 of them; Student's t with 15 degrees of freedom or more
        assert z.mean().abs() < 0.5


@pytest.mark.slow
@pytest.mark.parametrize("kick", ["pixel", "random signs"])
def test_restarts_tell_the_same_and_cost_one_spinup(kick):
    variances = []
    for seed in (3, 13, 23):  # the pixels are correlated, so that the variance of one pair of runs scatters by a quarter
        once, often = chaotic(kick=kick, control=False, seed=seed), chaotic(kick=kick, control=False, restarts=8, seed=seed + 2)
        z = ((once.values - often.values) / (once.standard_error.square() + often.standard_error.square()).sqrt())[1:]
        assert z.abs().max() < 5
        variances.append(float(z.var()))
    assert 0.7 < sum(variances) / 3 < 1.4
    assert (often.dof, often.info["restarts"], often.info["pairs"]) == (63, 8, 512)
    torch.testing.assert_close(often.parts.mean(0), often.values, atol=1e-6, rtol=0)


def test_restarts_in_a_linear_system_change_nothing():
    truth = perturb(SMALL, lags=10.0, pairs=64, restarts=4, device="cpu")
    torch.testing.assert_close(truth.values, exact_response(SMALL, lags=10.0).values, atol=1e-5, rtol=0)


def test_every_restart_has_signs_of_its_own():
    once, often = (perturb(SMALL, lags=1.0, pairs=1024, restarts=r, kick="random signs", control=False, device="cpu") for r in (1, 8))
    off_the_pixel = [float(truth.values[0].flatten()[1:].square().mean()) * 1024 * 24 for truth in (once, often)]
    assert off_the_pixel == pytest.approx([1, 1], abs=0.95)  # 8 were the signs of a run the same each time


@pytest.mark.slow
@pytest.mark.parametrize("kick", ["pixel", "random signs"])
def test_the_growth_of_pairs_starts_at_one_and_is_told_for_every_lag(kick):
    truth = chaotic(kick=kick)
    growth = {name: torch.tensor(values) for name, values in truth.info["growth"].items()}
    assert set(growth) == {"mean", "median", "q95"}
    for name, values in growth.items():
        assert values.shape == truth.times.shape, name
        assert float(values[0]) == pytest.approx(1, abs=1e-4), name
    assert (growth["q95"][2:] > growth["mean"][2:]).all()
    assert growth["mean"][-1] > growth["median"][-1] > 0
    # the error of one pixel, summed over the field, is (⟨|J|²⟩ − |R|²)/n
    if kick == "pixel":
        expected = (growth["mean"] - truth.values.square().sum((-2, -1)))[1:] / 512
        torch.testing.assert_close(truth.standard_error.square().sum((-2, -1))[1:], expected, rtol=0.05, atol=1e-6)


def test_growth_in_a_linear_system_is_the_norm_of_the_response():
    for kick in twin_runs.KICK_KINDS:
        truth = perturb(SMALL, lags=10.0, pairs=512, kick=kick, device="cpu")
        exact = exact_response(SMALL, lags=10.0).values
        expected = exact.square().sum((-2, -1))
        if kick == "smooth":  # each wavevector counts with the power that the kick gives it
            kicked = twin_runs.smooth_modes(SMALL.grid) * bump_spectrum(SMALL.grid) ** 2 * SMALL.grid.multiplicity
            expected = ((SMALL.grid.rfft(exact).abs().square() * kicked).sum((-2, -1)) / kicked.sum()).float()
        torch.testing.assert_close(torch.tensor(truth.info["growth"]["mean"]), expected, rtol=1e-4 if kick == "pixel" else 0.05, atol=1e-5)


# --- symmetries


@pytest.mark.parametrize(
    ("names", "grid", "message"),
    [
        ("reflect y", LETTER.grid, r"the text 'reflect y'; give a tuple of names, such as \('reflect y',\)"),
        (("mirror",), LETTER.grid, "symmetry 'mirror' is unknown; expected one of 'reflect x', 'reflect y', 'transpose', 'sign'"),
        (("reflect y",), PeriodicGrid((8,)), "has no axis y to reflect"),
        (("transpose",), PeriodicGrid((8,)), "has no axis y to reflect or to exchange"),
        (("transpose",), PeriodicGrid((8, 6)), r"cannot be exchanged on a box of shape \(8, 6\)"),
        (("transpose",), PeriodicGrid((8, 8), lengths=(1.0, 2.0)), "cannot be exchanged"),
    ],
    ids=str,
)
def test_symmetries_that_a_grid_has_not_are_refused(names, grid, message):
    with pytest.raises(ValueError, match=message):
        check_symmetries(names, grid)


def test_symmetries_come_back_as_a_tuple():
    assert check_symmetries(["reflect x", "sign"], PeriodicGrid((8,))) == ("reflect x", "sign")
    assert check_symmetries((), LETTER.grid) == ()
    assert check_symmetries(CHAOTIC.symmetries, CHAOTIC.grid) == CHAOTIC.symmetries


IMAGES = {
    "reflect x": lambda v: v[..., [-i for i in range(v.shape[-1])]],
    "reflect y": lambda v: v[..., [-i for i in range(v.shape[-2])], :],
    "transpose": lambda v: v.mT,
    "sign": lambda v: v,
}


@pytest.mark.parametrize("side", [6, 7])
@pytest.mark.parametrize(
    "names", [("reflect x",), ("reflect y",), ("transpose",), ("reflect x", "reflect y", "transpose"), ("sign",)], ids=str
)
def test_what_is_averaged_over_symmetries_has_them_and_stays_where_it_was(names, side):
    values = torch.randn(3, side, side, generator=torch.Generator().manual_seed(0))
    found = symmetrise(values, names)
    for name in names:
        torch.testing.assert_close(IMAGES[name](found), found)
    torch.testing.assert_close(symmetrise(found, names), found)
    assert found[:, 0, 0].allclose(values[:, 0, 0], atol=1e-6)
    torch.testing.assert_close(found.sum((-2, -1)), values.sum((-2, -1)), atol=1e-4, rtol=0)
    assert found.equal(values) == (names == ("sign",))


def test_an_average_over_two_images_is_their_mean():
    values = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(symmetrise(values, ("reflect y",)), 0.5 * (values + IMAGES["reflect y"](values)))


@pytest.mark.slow
def test_twins_averaged_over_a_symmetry_have_it_and_tell_the_same_with_less_noise():
    plain, reflected = chaotic(control=False), chaotic(control=False, symmetries=("reflect y",))
    torch.testing.assert_close(reflected.values, symmetrise(plain.values, ("reflect y",)), atol=1e-6, rtol=0)
    torch.testing.assert_close(reflected.parts.mean(0), reflected.values, atol=1e-6, rtol=0)
    off_the_axis = (slice(1, None), slice(1, 4))  # y = 0 and 4 are their own images
    ratio = reflected.standard_error[off_the_axis].square().mean() / plain.standard_error[off_the_axis].square().mean()
    assert float(ratio) == pytest.approx(0.5, abs=0.1)
    assert reflected.info["symmetries"] == ["reflect y"]


# --- interrupt and resume


RESUMED = {"lags": 4.0, "pairs": 64, "kick": "random signs", "restarts": 2, "seed": 2, "device": "cpu"}


def interrupt_after(monkeypatch, batches, error=KeyboardInterrupt):
    add = Twins.add

    def struck(self, sums, start):
        if self.done == batches:
            raise error
        add(self, sums, start)

    monkeypatch.setattr(Twins, "add", struck)


def assert_same_response(one, other):
    for name in ("values", "parts", "standard_error"):
        assert getattr(one, name).equal(getattr(other, name)), name
    assert one.info["growth"] == other.info["growth"]


@pytest.mark.parametrize("options", [{}, {"control": False}, {"kick": "pixel"}], ids=str)
def test_an_interrupted_experiment_goes_on_from_its_checkpoint_to_the_same_bits(options, monkeypatch, tmp_path):
    arguments = RESUMED | options
    whole, path = perturb(SMALL, **arguments), tmp_path / "twins.npz"
    for batches in (5, 11):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            interrupt_after(patch, batches)
            perturb(SMALL, **arguments, checkpoint=path)
        assert Twins(SMALL, **arguments).resume(path).done == batches
    resumed = perturb(SMALL, **arguments, checkpoint=path)
    assert_same_response(resumed, whole)
    assert resumed.info["seconds"] > 0


def test_a_killed_experiment_goes_on_from_its_last_checkpoint(monkeypatch, tmp_path):
    whole, path = perturb(SMALL, **RESUMED), tmp_path / "twins.npz"
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(kicked_twins, "SAVE_EVERY", 4 * 2 * twins.BATCH)
        interrupt_after(patch, 11, RuntimeError)
        perturb(SMALL, **RESUMED, checkpoint=path)
    with monkeypatch.context() as patch:
        steps, add = [], Twins.add
        patch.setattr(Twins, "add", lambda self, *sums: steps.append(self.done) or add(self, *sums))
        assert_same_response(perturb(SMALL, **RESUMED, checkpoint=path), whole)
    assert steps == list(range(8, 16))


def test_interrupted_without_a_checkpoint_it_is_just_interrupted(monkeypatch, tmp_path):
    interrupt_after(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        perturb(SMALL, **RESUMED)
    assert not list(tmp_path.iterdir())


def test_an_interrupt_between_summing_and_counting_a_batch_is_resumed_exactly(monkeypatch, tmp_path):
    whole, path = perturb(SMALL, **RESUMED), tmp_path / "twins.npz"
    calls = iter(range(10**6))

    class Clock:
        @staticmethod
        def perf_counter():
            if next(calls) == 7:  # the end of the fourth batch
                raise KeyboardInterrupt
            return 0.0

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(twins, "time", Clock)
        perturb(SMALL, **RESUMED, checkpoint=path)
    assert_same_response(perturb(SMALL, **RESUMED, checkpoint=path), whole)


@pytest.mark.parametrize(
    "other",
    [
        {"seed": 3}, {"pairs": 128}, {"lags": 3.0}, {"every": 0.5}, {"kick": "pixel"}, {"amplitude": 0.1}, {"restarts": 1}, {"spinup": 1.0},
        {"control": False}, {"symmetries": ("reflect y",)}, {"system": replace(SMALL, lam=0.05)},
        {"system": OrnsteinUhlenbeck(grid=PeriodicGrid((6, 4)))},
    ],
    ids=str,
)  # fmt: skip
def test_the_checkpoint_of_another_experiment_is_refused(other, monkeypatch, tmp_path):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(patch, 2)
        perturb(SMALL, **RESUMED, checkpoint=tmp_path / "twins.npz")
    with pytest.raises(ValueError, match=r"twins\.npz is the checkpoint of another experiment; use the same arguments, or another file"):
        perturb(**{"system": SMALL} | RESUMED | other, checkpoint=tmp_path / "twins.npz")


def test_the_checkpoint_of_another_system_with_the_same_parameters_is_refused(tmp_path):
    class Backwards(OrnsteinUhlenbeck):
        name = "backwards"

        def stepper(self, every, device):
            return replace(SMALL, advection=-self.advection).stepper(every, device)

    experiment = Twins(SMALL, lags=2.0, pairs=16, seed=1, device="cpu")
    next(iter(experiment))
    with pytest.raises(ValueError, match="another experiment"):
        Twins(Backwards(grid=SMALL.grid), lags=2.0, pairs=16, seed=1, device="cpu").resume(experiment.save(tmp_path / "twins.npz"))


def test_damaged_checkpoints_are_refused(tmp_path):
    experiment, path = Twins(SMALL, lags=2.0, pairs=16, seed=1, device="cpu"), tmp_path / "twins.npz"
    content = experiment.save(path).read_bytes()
    for damaged in (b"", content[: len(content) // 2], content[:-30], b"nonsense" * 99):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"twins\.npz is not a readable"):
            experiment.resume(path)
    np.savez(path, sums=np.zeros(3))
    with pytest.raises(ValueError, match=r"twins\.npz lacks about, done, growth, kicks, seconds, squares"):
        experiment.resume(path)
    exact_response(SMALL, lags=3.0).save(path)
    with pytest.raises(ValueError, match="lacks"):
        experiment.resume(path)


def test_an_unfinished_experiment_has_no_response():
    experiment = Twins(SMALL, lags=2.0, pairs=16, seed=1, device="cpu")
    next(iter(experiment))
    with pytest.raises(ValueError, match="15 of 16 batches of twins are still to be run"):
        experiment.response()
    assert list(experiment) == list(range(2, 17))
    torch.testing.assert_close(experiment.response().values, exact_response(SMALL, lags=2.0).values, atol=1e-5, rtol=0)


# --- the comparison


def noisy(exact, sigma, seed, parts=16):
    """A truth whose parts scatter by sigma about the exact one."""
    pieces = exact.values + sigma * torch.randn(parts, *exact.values.shape, generator=torch.Generator().manual_seed(seed))
    return replace(exact, values=pieces.mean(0), parts=pieces, method="dynamical")


def test_errors_against_an_exact_truth_are_norms_of_the_difference():
    truth, response = exact_response(SMALL, lags=5.0), exact_response(replace(SMALL, lam=0.08), lags=5.0)
    errors, difference = compare(response, truth), (response.values - truth.values).double().flatten(1)
    torch.testing.assert_close(errors.l2, difference.square().sum(1).sqrt())
    torch.testing.assert_close(errors.linf, difference.abs().max(1).values)
    torch.testing.assert_close(errors.l2_sq_unbiased, errors.l2.square())
    assert errors.l2_sq_se.eq(0).all()
    assert errors.quoted["l2"] == pytest.approx(float(errors.l2[1:].square().mean().sqrt()))
    assert errors.quoted["linf"] == pytest.approx(float(errors.linf[1:].mean()))
    assert errors.quoted["l2_se_truth"] == 0


def test_a_right_response_has_no_error_beyond_the_noise_of_the_truth():
    exact, sigma = exact_response(SMALL, lags=5.0), 0.2
    errors = [compare(exact, noisy(exact, sigma, seed)) for seed in range(300)]
    biased = torch.stack([e.l2.square() for e in errors])
    unbiased, claimed = torch.stack([e.l2_sq_unbiased for e in errors]), torch.stack([e.l2_sq_se for e in errors])
    of_the_noise = 24 * sigma**2 / 16
    torch.testing.assert_close(biased.mean(0), torch.full((6,), of_the_noise, dtype=torch.float64), rtol=0.1, atol=0)
    assert (unbiased.mean(0).abs() < 4 * unbiased.std(0) / math.sqrt(300)).all()
    assert (unbiased.mean(0).abs() < 0.1 * of_the_noise).all()
    assert (unbiased < 0).any()  # the sign is kept
    # The jackknife counts twice the part of the variance that is quadratic in the noise: all of it here, where there is no error.
    assert float((claimed.square().mean(0).sqrt() / unbiased.std(0)).mean()) == pytest.approx(math.sqrt(2), abs=0.15)


def test_the_error_of_a_wrong_response_is_found_under_the_noise():
    exact, wrong = exact_response(SMALL, lags=20.0), exact_response(replace(SMALL, lam=0.08), lags=20.0)
    size = compare(wrong, exact).quoted["l2"]
    quoted = [compare(wrong, noisy(exact, 0.1, seed)).quoted for seed in range(50)]
    z = torch.tensor([(q["l2"] - size) / q["l2_se_truth"] for q in quoted])
    assert all(q["l2"] > 5 * q["l2_se_truth"] for q in quoted)
    assert z.abs().max() < 4
    assert float(z.square().mean()) == pytest.approx(1, abs=0.6)


def test_unbiased_square_against_real_twins():
    exact, truth = exact_response(LETTER, lags=40.0), signed()
    elsewhere = exact_response(replace(LETTER, kappa=1.2 * LETTER.kappa), lags=40.0)
    right, wrong = compare(exact, truth), compare(elsewhere, truth)
    assert (right.l2_sq_se > 0).all()
    unbiased, standard_error, biased = (x[1:].mean() for x in (right.l2_sq_unbiased, right.l2_sq_se, right.l2.square()))
    assert unbiased.abs() < 3 * standard_error < 0.5 * biased
    assert wrong.quoted["l2"] == pytest.approx(compare(elsewhere, exact).quoted["l2"], abs=3 * wrong.quoted["l2_se_truth"])
    assert wrong.quoted["l2"] > 20 * wrong.quoted["l2_se_truth"] > 0


def test_the_sources_of_an_error_are_told_apart():
    """A wrong score, a noisy average and a noisy truth, each of known size."""
    exact, wrong, noise = exact_response(SMALL, lags=20.0), exact_response(replace(SMALL, lam=0.08), lags=20.0), 0.05
    found = []
    for seed in range(100):
        rng = torch.Generator().manual_seed(1000 + seed)
        values = wrong.values + noise * torch.randn(wrong.values.shape, generator=rng)
        response = replace(wrong, values=values, standard_error=torch.full_like(values, noise))
        truth = noisy(exact, 0.1, seed)
        sources = error_sources(response, truth)
        torch.testing.assert_close(sources.score + sources.sampling + sources.truth, compare(response, truth).l2.square())
        found.append(sources)
    size = SMALL.grid.size
    score = torch.stack([each.score for each in found])
    assert ((score.mean(0) - compare(wrong, exact).l2.square()).abs() < 4 * score.std(0) / 10).all()
    torch.testing.assert_close(found[0].sampling, torch.full((21,), size * noise**2, dtype=torch.float64))
    of_the_truth = torch.stack([each.truth for each in found]).mean(0)
    torch.testing.assert_close(of_the_truth, torch.full((21,), size * 0.1**2 / 16, dtype=torch.float64), rtol=0.1, atol=0)
    assert found[0].quoted["score"] == pytest.approx(compare(wrong, exact).quoted["l2"], rel=0.2)


def test_a_response_without_standard_error_has_no_sources():
    exact = exact_response(SMALL, lags=5.0)
    with pytest.raises(ValueError, match="no standard error"):
        error_sources(exact, exact)


def test_the_lags_of_the_response_are_looked_up_in_the_truth():
    fine, coarse = exact_response(SMALL, lags=6.0, every=0.5), exact_response(SMALL, lags=4.0, every=2.0)
    assert compare(coarse, fine).quoted["l2"] < 1e-6
    with pytest.raises(ValueError, match="the truth has no lag"):
        compare(fine, coarse)
    with pytest.raises(ValueError, match="the truth has no lag 8; its lags run from 0 to 6"):
        compare(exact_response(SMALL, lags=8.0), fine)
    short = [replace(exact_response(SMALL, lags=4.0), times=unit * torch.arange(5.0)) for unit in (1e-8, 2e-8)]  # seconds of a fast system
    with pytest.raises(ValueError, match="the truth has no lag"):
        compare(*short)


def test_responses_on_another_grid_are_refused():
    for use in (compare, wave_errors):
        with pytest.raises(ValueError, match=r"grids differ: .*\(4, 6\).*\(32, 32\)"):
            use(exact_response(SMALL, lags=3.0), exact_response(LETTER, lags=3.0))


def test_a_system_without_closed_form_is_sent_to_the_twins():
    with pytest.raises(ValueError, match=r"AllenCahn has no closed-form response; use perturb\(system"):
        exact_response(AllenCahn())
    with pytest.raises(ValueError, match="lags is -3"):
        exact_response(SMALL, lags=-3.0)


# --- the response as an object


@pytest.mark.parametrize("grid", [PeriodicGrid((8,)), PeriodicGrid((7,)), PeriodicGrid((4, 6)), PeriodicGrid((5, 3))], ids=str)
def test_the_response_to_a_pattern_is_the_sum_of_the_responses_to_its_pixels(grid):
    response, pattern = exact_response(OrnsteinUhlenbeck(grid=grid), lags=5.0), kick_pattern(grid, "random", seed=4)
    places = torch.cartesian_prod(*map(torch.arange, grid.shape)).reshape(grid.size, -1).tolist()
    moved = (size * response.values.roll(place, grid.axes) for place, size in zip(places, pattern.flatten(), strict=True))
    torch.testing.assert_close(response.to(pattern), sum(moved), atol=1e-5, rtol=0)
    torch.testing.assert_close(response.to(kick_pattern(grid)), response.values, atol=1e-6, rtol=0)


def test_along_reads_downstream_where_the_peak_arrives_later():
    response = exact_response(LETTER, lags=90.0)
    assert response.along(3).equal(response.values[:, 0, 3])
    assert response.along(-2).equal(response.values[:, 0, 30])
    one_pixel = 2 * math.pi / 32 / LETTER.advection
    assert [int(response.along(d).argmax()) for d in (0, 2, 4, 6)] == pytest.approx([d * one_pixel for d in (0, 2, 4, 6)], abs=2)
    line = exact_response(OrnsteinUhlenbeck(grid=PeriodicGrid((8,))), lags=3.0)
    assert line.along(3).equal(line.values[:, 3])


def test_the_band_is_read_where_the_response_is():
    truth = signed(SMALL, lags=10.0, pairs=4096)
    lower, upper = truth.band_along(2)
    assert ((lower < truth.along(2)) & (truth.along(2) < upper)).all()
    exact = exact_response(SMALL, lags=3.0)
    assert exact.band is exact.band_along(1) is exact.halves is None


def test_normalising_undoes_a_filter_of_the_score():
    response, grid = exact_response(SMALL, lags=5.0), SMALL.grid
    filtered = replace(response, values=grid.apply(2 + grid.derivative(), response.values))
    assert filtered.normalise().form == "normalised"
    torch.testing.assert_close(filtered.normalise().values, response.values, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["exact", "twins"])
def test_saved_and_loaded_responses_are_equal(kind, tmp_path):
    saved = exact_response(SMALL, lags=3.0) if kind == "exact" else signed(SMALL, lags=3.0, pairs=32)
    loaded = Response.load(saved.save(tmp_path / "response.npz"))
    for name in ("times", "values", "standard_error", "parts"):
        kept, found = getattr(saved, name), getattr(loaded, name)
        assert (kept is None and found is None) or kept.equal(found), name
    for name in ("method", "dof", "confidence", "grid", "form", "info"):
        assert getattr(saved, name) == getattr(loaded, name), name


def test_the_response_of_an_observable_is_saved_too(tmp_path):
    saved = Response(torch.arange(3.0), torch.ones(3, 2), "analytic", standard_error=torch.ones(3, 2), dof=7, confidence=0.5)
    loaded = Response.load(saved.save(tmp_path / "response.npz"))
    assert (loaded.grid, loaded.dof, loaded.confidence) == (None, 7, 0.5)


def test_other_files_are_no_responses(tmp_path):
    path = exact_response(SMALL, lags=3.0).save(tmp_path / "response.npz")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match="not a readable"):
        Response.load(path)
    np.savez(path, times=np.arange(3.0), values=np.ones(3))
    with pytest.raises(ValueError, match="lacks about; it has times, values"):
        Response.load(path)


@pytest.mark.parametrize("about", ["{}", "[]", "nonsense", json.dumps({"method": "x", "grid": {}, "freedom": None})])
def test_a_file_that_says_nothing_about_itself_is_no_response(about, tmp_path):
    np.savez(tmp_path / "response.npz", times=np.arange(3.0), values=np.ones((3, 4, 6)), about=about)
    with pytest.raises(ValueError, match=r"response\.npz"):
        Response.load(tmp_path / "response.npz")


def test_responses_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="do not match 3 lags"):
        Response(torch.arange(3.0), torch.zeros(4, 2), "analytic")
    with pytest.raises(ValueError, match="a probability between 0 and 1"):
        Response(torch.arange(3.0), torch.zeros(3), "analytic", confidence=90)
    with pytest.raises(ValueError, match=r"a grid of shape \(4, 6\)"):
        Response(torch.arange(3.0), torch.zeros(3, 4), "analytic", grid=SMALL.grid)
    with pytest.raises(ValueError, match=r"standard error has shape \(2,\)"):
        Response(torch.arange(3.0), torch.zeros(3), "analytic", standard_error=torch.zeros(2))
    number = Response(torch.arange(3.0), torch.zeros(3), "analytic")
    for use in (lambda: number.to(torch.ones(4)), lambda: number.along(2), number.normalise):
        with pytest.raises(ValueError, match="it has no displacements"):
            use()
    with pytest.raises(ValueError, match="expected one kick of the grid's shape"):
        exact_response(SMALL, lags=3.0).to(torch.ones(6, 4))
    with pytest.raises(ValueError, match=r"pattern has .* NaN"):
        exact_response(SMALL, lags=3.0).to(torch.full((4, 6), math.nan))
    for pattern in ("bump", torch.ones(4, 6, dtype=torch.complex64)):
        with pytest.raises(ValueError, match="expected real numbers"):
            exact_response(SMALL, lags=3.0).to(pattern)


def test_a_plain_number_is_kicked_by_a_number():
    response = Response(torch.arange(3.0), torch.tensor([1.0, 0.5, 0.25]), "exact", grid=PeriodicGrid(()))
    assert response.to(2.0).tolist() == [2.0, 1.0, 0.5]


def test_a_stack_of_patterns_is_no_pattern():
    with pytest.raises(ValueError, match="pattern"):
        exact_response(SMALL, lags=3.0).to(torch.ones(4, 4, 6))  # as many as there are lags: it would pass for one a lag


def test_what_vanishes_at_lag_zero_cannot_be_normalised():
    with pytest.raises(ValueError, match=r"R\(0\)"):
        Response(torch.arange(3.0), torch.zeros(3, 4, 6), "score", grid=SMALL.grid).normalise()


# --- kicks


@pytest.mark.parametrize("grid", [LETTER.grid, *GRIDS], ids=str)
@pytest.mark.parametrize("name", PATTERNS)
def test_a_kick_has_the_shape_of_the_grid_and_its_amplitude(name, grid):
    kick = kick_pattern(grid, name, amplitude=0.5)
    assert kick.shape == grid.shape
    assert kick.dtype == torch.float32
    assert float(kick.abs().max()) == pytest.approx(0.5)


def test_kicks_are_what_their_names_say():
    origin, grid = (0, 0), LETTER.grid
    pixel, bump, wave, drawn = (kick_pattern(grid, name) for name in PATTERNS)
    assert pixel[origin] == pixel.sum() == 1
    assert bump[origin] == 1
    torch.testing.assert_close(bump, bump.flip(0, 1).roll((1, 1), (0, 1)))  # even in both directions
    assert float(bump[0, 3]) == pytest.approx(math.exp(-((3 / 32 * 12) ** 2) / 2), abs=1e-4)
    assert wave.std(0).max() < 1e-6
    assert wave[0].roll(16).allclose(wave[0], atol=1e-5)  # two waves along x
    assert drawn.equal(kick_pattern(grid, "random"))
    assert not drawn.equal(kick_pattern(grid, "random", seed=1))
    assert (drawn - drawn.roll(1, -1)).std() < 0.7 * drawn.std()  # smooth


def test_kicks_without_name_or_place_are_refused():
    with pytest.raises(ValueError, match="kick 'hammer' is unknown; expected one of 'pixel', 'bump'"):
        kick_pattern(LETTER.grid, "hammer")
    with pytest.raises(ValueError, match="a grid without axes has no patterns"):
        kick_pattern(PeriodicGrid(()))


def test_errors_by_wavevector_add_up_to_those_of_the_field():
    system = OrnsteinUhlenbeck()
    exact = exact_response(system, lags=6.0)
    wrong = replace(exact, values=exact.values * 0.9)
    noisy = replace(exact, parts=exact.values + 0.01 * torch.randn(8, *exact.values.shape, generator=torch.Generator().manual_seed(0)))
    for truth in (exact, replace(noisy, values=noisy.parts.mean(0))):
        errors = wave_errors(wrong, truth)
        total = (errors * system.grid.multiplicity).sum((1, 2)) / system.grid.size
        torch.testing.assert_close(total, compare(wrong, truth).l2_sq_unbiased, atol=1e-6, rtol=1e-4)
    assert float(wave_errors(wrong, exact)[0, 0, 0]) == pytest.approx(0.01, rel=1e-3)
