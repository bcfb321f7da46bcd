"""What is measured of each system, and answers to its parameters: predicted, shipped, and measured in systems that are really changed."""

import math
from dataclasses import replace

import pytest
import torch

from gfdt_tutorial import AllenCahn, GaussianScore, NavierStokes, OrnsteinUhlenbeck, PeriodicGrid, figures, load_shipped
from gfdt_tutorial.bench import calibration as bench_calibration
from gfdt_tutorial.bench import parameters as bench_parameters
from gfdt_tutorial.experiments import parameter_responses as asked
from gfdt_tutorial.experiments.calibration import Calibration, Target, Update
from gfdt_tutorial.experiments.parameter_responses import predict, resimulate, response_to, statistics, unperturbed
from gfdt_tutorial.experiments.shipped import load_table
from gfdt_tutorial.figures import theme
from gfdt_tutorial.systems.built_in import SYSTEMS
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.sizes import Sampling

SMALL = OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8)))
NAMES = list(SYSTEMS)


def values(rows):
    return {row.what: row.value for row in rows}


# --- what is measured, and the predictions


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_name(name):
    what = statistics(SYSTEMS[name]())
    numbers = what.observable(torch.randn(3, 32, 32))
    assert numbers.shape == (3, len(what.names))
    assert len(what.names[what.spectrum]) == len(what.k)
    assert len(what.names[what.density]) == asked.BINS
    assert [what.names[what.spectrum][0][:1], what.names[what.density][0][:1]] == ["C", "ρ"]


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_has_an_answer_per_relative_change(name):
    system = SYSTEMS[name]()
    data = unperturbed(system, preset="tiny")
    answers = predict(system, data, GaussianScore.fit(data), preset="tiny", form="controlled")
    assert list(answers.info["parameters"]) == list(asked.sliders(SYSTEMS[name]()))
    steps = len(answers.times)
    assert answers.values.shape == (steps, len(asked.sliders(SYSTEMS[name]())), len(statistics(system).names))
    first = asked.sliders(SYSTEMS[name]())[0]
    one = response_to(answers, first, 0, 0.5)
    assert one.values.shape == (steps,)
    torch.testing.assert_close(one.values, 0.5 * answers.values[:, 0, 0])
    f, _ = system.drift_derivative(first)  # the start: p ⟨2u f⟩
    start = float(getattr(system, first) * (2 * data.u * f(data.u)).mean() * answers.times[1] / 2)
    later, error = float(answers.values[1, 0, 0]), float(answers.standard_error[1, 0, 0])
    assert abs(later - start) < abs(start) + 4 * error  # the response falls off within the first step
    assert math.copysign(1, later) == math.copysign(1, start)


def test_members_that_are_changed_answer_as_the_closed_form_says():
    found = resimulate(SMALL, "lam", 0.05, members=256)
    expected = 0.05 * bench_parameters.closed_form(SMALL, found.times)[0]
    total = (expected * SMALL.grid.multiplicity).sum((-2, -1)) / SMALL.grid.size
    z = (found.values[:, 0] - total)[5:] / found.standard_error[5:, 0]
    assert z.abs().max() < 4
    assert found.standard_error[-1, 0] < 0.1 * total[-1].abs()


@pytest.mark.parametrize("members", [8, 64, 70])
def test_as_many_members_run_as_are_asked_for(members):
    assert resimulate(SMALL, "lam", 0.05, members=members, preset="tiny").info["members"] == members


@pytest.mark.parametrize("name", NAMES)
def test_shipped_answers_are_of_the_letters_systems_and_say_how_they_were_made(name):
    system = SYSTEMS[name]()
    for method in ("generative", "gaussian"):
        answers = load_shipped(f"{name}-parameters-{method}")
        assert answers.method == method
        assert answers.values.shape[1:] == (len(asked.sliders(SYSTEMS[name]())), len(statistics(system).names))
        assert answers.info["parameters"] == {parameter: getattr(system, parameter) for parameter in asked.sliders(SYSTEMS[name]())}
        assert answers.info["shipped"]["command"] == bench_parameters.COMMAND
        assert answers.band.shape == (2, *answers.values.shape)


@pytest.mark.slow
def test_the_shipped_learned_score_predicts_a_stronger_well_and_the_gaussian_one_does_not():
    """⟨u⁴⟩ falls, then rises: 64 members that are really changed."""
    system = AllenCahn()
    truth = resimulate(system, "alpha", 0.02, members=64, every=0.5)
    assert truth.values[2, 1] < 0 < truth.values[-1, 1]
    off = {}
    for method in ("generative", "gaussian"):
        one = response_to(load_shipped(f"allen-cahn-parameters-{method}"), "alpha", slice(0, 2), 0.02)
        at = [round(t / float(one.times[1])) for t in (1.0, 3.0)]
        off[method] = ((one.values[at] - truth.values[[2, 6], :2]) / truth.values[[2, 6], :2].norm()).norm()
    assert off["generative"] < 0.3 < 0.7 < off["gaussian"]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: asked.derivative(NavierStokes(), "forcing", None), "parameter of navier-stokes 'forcing' is unknown"),
        (lambda: resimulate(SMALL, "alpha"), "parameter of ornstein-uhlenbeck 'alpha' is unknown"),
        (lambda: resimulate(replace(SMALL, kappa=0.0), "kappa", preset="tiny"), "kappa = 0, changed by 0.02 of itself, does not move"),
        (lambda: resimulate(SMALL, "lam", 0.0, preset="tiny"), "lam = 0.04, changed by 0 of itself, does not move"),
        (lambda: resimulate(SMALL, "lam", preset="tiny", members=8, every=3.0), "lags = 10 is not a multiple of every = 3; try lags = 9"),
        (lambda: AllenCahn().sampling("huge"), "preset 'huge' is unknown"),
        (lambda: response_to(load_shipped("allen-cahn-parameters-gaussian"), "lam", 0), "parameter 'lam' is unknown"),
    ],
)
def test_bad_input_is_refused_in_words(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.slow
def test_the_bench_of_answers_runs_in_small():
    rows = values(bench_parameters.parameter_responses("tiny", 16, ("ornstein-uhlenbeck", "allen-cahn")))
    assert len(rows) == 5 + 4 * 4
    assert all(math.isfinite(value) for value in rows.values())


# --- calibration

SPECTRUM = asked.observables.spectrum(SMALL.grid)
SIZE = Sampling(32, 200.0, 1.0, 60.0)
LONG = Sampling(64, 600.0, 1.0, 80.0)


def learn(system, data):
    return system.score


@pytest.fixture(scope="module")
def target():
    return Target.of(simulate(SMALL, members=32, duration=200.0, seed=5, device="cpu"), SPECTRUM)


def wrong():
    return replace(SMALL, lam=0.7 * SMALL.lam, kappa=1.3 * SMALL.kappa)


def test_a_target_has_the_mean_of_its_series_and_the_error_of_its_members(target):
    data = simulate(SMALL, members=32, duration=200.0, seed=5, device="cpu")
    torch.testing.assert_close(target.values, SPECTRUM(data.u).double().mean((0, 1)), rtol=1e-5, atol=0)
    longer = Target.of(simulate(SMALL, members=128, duration=200.0, seed=5, device="cpu"), SPECTRUM)
    assert (longer.errors / target.errors).mean() == pytest.approx(0.5, rel=0.2)


def test_parameters_are_recovered_with_one_run_a_step(target):
    theorem = Calibration(wrong(), ("lam",), target, SPECTRUM, learn, SIZE, updates=3).run()
    assert [update.simulations for update in theorem.path] == list(range(1, len(theorem.path) + 1))
    assert theorem.path[0].parameters["lam"] == pytest.approx(0.7 * SMALL.lam)
    both = Calibration(wrong(), ("lam", "kappa"), target, SPECTRUM, None, SIZE, updates=3).run()
    assert [update.simulations for update in both.path][:3] == [1, 4, 7]
    assert both.best.misfit < 0.02 * both.path[0].misfit
    assert both.best.parameters["lam"] == pytest.approx(SMALL.lam, rel=0.05)
    assert both.best.parameters["kappa"] == pytest.approx(SMALL.kappa, rel=0.1)


@pytest.mark.slow
def test_the_slope_of_the_theorem_is_that_of_finite_differences(target):
    theorem, differences = (Calibration(SMALL, ("lam",), target, SPECTRUM, how, LONG, updates=1).run().path[0] for how in (learn, None))
    assert theorem.values.tolist() == differences.values.tolist()  # the same run
    slow = slice(0, 3)  # the shells that λ moves
    error = (theorem.jacobian - differences.jacobian)[slow].norm() / differences.jacobian[slow].norm()
    assert error < 0.3
    assert (theorem.jacobian[slow] < 0).all()


def test_along_a_short_step_the_slope_is_that_of_the_runs_at_its_ends(target):
    near = replace(SMALL, lam=0.9 * SMALL.lam)
    path = Calibration(near, ("lam",), target, SPECTRUM, learn, SIZE, updates=2).run().path
    first, second = path[0], path[1]
    step = math.log(second.parameters["lam"] / first.parameters["lam"])
    assert abs(step) < 0.3
    torch.testing.assert_close(second.jacobian[:, 0] * step, second.values - first.values, rtol=1e-6, atol=1e-9)
    assert (first.jacobian[:, 0] * step - (second.values - first.values)).norm() > 1e-3  # which its own slope did not know


class Crooked(Calibration):
    """Its slopes are too flat for the large scales and too steep for the small ones."""

    def _by_differences(self, x, here):
        return torch.linspace(0.2, 2.0, len(here), dtype=torch.float64)[:, None] * super()._by_differences(x, here)


@pytest.mark.parametrize("reachable", [True, False])
def test_wrong_slopes_end_elsewhere_unless_the_target_can_be_met_and_the_shift_says_how_far(target, reachable):
    own = Target.of(
        simulate(SMALL, members=32, duration=200.0, seed=0, device="cpu"), SPECTRUM
    )  # the runs of the calibration have this seed
    off = torch.tensor([0.0, 1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    given = own if reachable else replace(own, values=own.values + 8 * off * own.errors)
    near = replace(SMALL, lam=0.9 * SMALL.lam, kappa=1.1 * SMALL.kappa)
    straight, crooked = (kind(near, ("lam", "kappa"), given, SPECTRUM, None, SIZE, updates=12).run() for kind in (Calibration, Crooked))
    estimate = crooked.estimate(straight.differences())
    apart = {name: crooked.best.parameters[name] - straight.best.parameters[name] for name in ("lam", "kappa")}
    relative = [abs(apart[name] / getattr(SMALL, name)) for name in apart]
    if reachable:
        assert max(relative) < 0.005
    else:
        assert max(relative) > 0.02
        for name in apart:
            assert apart[name] == pytest.approx(estimate.shifts[name], abs=0.25 * max(relative) * getattr(SMALL, name))


def test_the_standard_errors_are_those_of_least_squares():
    """H⁻¹ where only the target scatters, its statistics independently; larger by the scatter of the run."""
    bare = Calibration(
        wrong(), ("lam", "kappa"), Target(torch.ones(3).double(), torch.tensor([1.0, 2.0, 3.0]).double()), SPECTRUM, None, SIZE
    )
    jacobian = torch.tensor([[1.0, 0.5], [0.2, 2.0], [1.0, -1.0]], dtype=torch.float64)
    with pytest.raises(ValueError, match=r"call run\(\) first"):
        bare.estimate()
    run = torch.diag(torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64))
    for covariance, factor in ((torch.zeros(3, 3, dtype=torch.float64), 1.0), (run, 2**0.5)):
        bare.path = [Update({"lam": 0.04, "kappa": 1e-4}, torch.ones(3).double(), 0.0, 1, 0.0, covariance, jacobian)]
        inverse = torch.linalg.inv(jacobian.T @ torch.diag(1 / torch.tensor([1.0, 4.0, 9.0], dtype=torch.float64)) @ jacobian)
        expected = factor * inverse.diagonal().sqrt() * torch.tensor([0.04, 1e-4])
        torch.testing.assert_close(torch.tensor(list(bare.estimate().standard_errors.values())), expected.float())
    assert bare.estimate().shifts is None
    with pytest.raises(ValueError, match=r"slopes has shape \(2, 2\); expected \(3, 2\)"):
        bare.estimate(torch.ones(2, 2))


@pytest.mark.slow
def test_the_parameters_scatter_by_their_standard_errors():
    z = []
    for seed in range(10):
        mine = Target.of(simulate(SMALL, members=32, duration=200.0, seed=100 + seed, device="cpu"), SPECTRUM)
        found = Calibration(SMALL, ("lam", "kappa"), mine, SPECTRUM, None, SIZE, updates=3, seed=seed).run().estimate()
        z += [(found.parameters[name] - getattr(SMALL, name)) / found.standard_errors[name] for name in ("lam", "kappa")]
    assert 0.6 < (sum(value**2 for value in z) / len(z)) ** 0.5 < 1.5


class Clock:
    """It moves when it is told to, and stands still otherwise."""

    now = 0.0

    def process_time(self):
        return self.now


def test_the_cost_of_training_counts(target, monkeypatch):
    """A score that takes a second to learn makes an update a second dearer, in no more runs."""
    clock = Clock()
    monkeypatch.setattr("gfdt_tutorial.experiments.calibration.time", clock)

    def slow(system, data):
        clock.now += 1.0
        return system.score

    quick, dear = (Calibration(wrong(), ("lam",), target, SPECTRUM, how, SIZE, updates=1).run().path for how in (learn, slow))
    assert [update.simulations for update in quick] == [update.simulations for update in dear] == [1, 2]
    assert [update.seconds for update in quick] == [0, 0] and [update.seconds for update in dear] == [0, 1]


def test_in_the_figure_of_calibrations_each_method_has_its_own_look():
    looks = {
        "theorem, learned score": "generative",
        "theorem, analytic score": "analytic",
        "theorem, Gaussian score": "gaussian",
        "finite differences": "finite differences",
    }
    drawn = figures.calibration(load_table("allen-cahn-calibration"))
    for way, method in looks.items():
        lines = [trace for trace in drawn.data if trace.name == way]
        assert len(lines) == 2
        for line in lines:
            assert (line.line.color, line.line.dash) == (theme.style(method)["color"], theme.style(method)["dash"])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"names": ("epsilon",)}, "'epsilon' is unknown"),
        ({"names": ()}, "cannot determine 0 parameters"),
        ({"names": ("advection",), "system": replace(SMALL, advection=-0.1)}, "advection is -0.1"),
        ({"updates": 0}, "updates is 0"),
    ],
)
def test_a_calibration_checks_what_it_is_given(target, changes, message):
    given = {"system": SMALL, "names": ("lam",), "updates": 2} | changes
    with pytest.raises(ValueError, match=message):
        Calibration(given["system"], given["names"], target, SPECTRUM, learn, SIZE, updates=given["updates"])
    with pytest.raises(ValueError, match="gives 5 numbers, and the target has 1"):
        Calibration(SMALL, ("lam",), Target(target.values[:1], target.errors[:1]), SPECTRUM, learn, SIZE).run()
    with pytest.raises(ValueError, match="acts through a hidden forcing"):
        Calibration(NavierStokes(), ("forcing",), target, SPECTRUM, learn, SIZE)
    with pytest.raises(ValueError, match=r"gives \(\) for each field"):
        Target.of(simulate(SMALL, members=8, duration=20.0, device="cpu"), lambda u: u.square().mean((-2, -1)))
    with pytest.raises(ValueError, match="members is 2"):
        Target.of(simulate(SMALL, members=2, duration=20.0, device="cpu"), SPECTRUM)


@pytest.mark.slow
def test_the_bench_of_calibration_runs_in_small():
    two_phases = AllenCahn(grid=PeriodicGrid((24, 24)))
    rows = values(bench_calibration.recovery("tiny", Sampling(8, 5.0, 0.25, 2.0, spinup=5.0), two_phases, shipping=False))
    assert len(rows) == 2 * 4 * 3 + 1
    assert rows["(α, κ) from α −30 %, κ +30 %, finite differences: larger relative error where the misfit is smallest"] < 0.3


@pytest.mark.slow
def test_the_bench_of_what_calibration_costs_runs_in_small():
    two_phases = AllenCahn(grid=PeriodicGrid((24, 24)))
    rows = values(bench_calibration.cost("tiny", Sampling(8, 5.0, 0.25, 2.0, spinup=5.0), two_phases, shipping=False))
    assert len(rows) == 1 + 3 + 2 + 1
    assert all(math.isfinite(value) and value > 0 for value in rows.values())


def test_each_way_of_the_shipped_calibrations_has_its_price():
    ways, prices = ({row["way"] for row in load_table(f"allen-cahn-calibration{end}")} for end in ("", "-cost"))
    assert ways == prices
    assert all(0 < row["standard_errors"][name] < 0.05 for row in load_table("allen-cahn-calibration-cost") for name in ("alpha", "kappa"))
