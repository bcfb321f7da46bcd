"""Who drives whom: links at lag one and in the long run, beside correlation; and rivals that do without a score."""

import dataclasses

import pytest
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial import figures
from gfdt_tutorial.responses.theorem import component_kicks

CONFOUNDER = ((0.5, 0.0, 0.4), (0.0, 0.5, 0.4), (0.0, 0.0, 0.5))
MEDIATOR = ((0.5, 0.0, 0.0), (0.4, 0.5, 0.0), (0.0, 0.4, 0.5))
EYE = torch.eye(3)


def run(matrix, seed=0, duration=3000.0):
    return gfdt.simulate(gfdt.MarkovChain(matrix=matrix), members=16, duration=duration, seed=seed)


def answer_of(data, lags=8.0):
    return gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=lags)


def names(found):
    return {(source, to) for source, to, _ in found.links}


def test_a_common_cause_is_no_link_and_correlation_sees_one():
    data = run(CONFOUNDER)
    found = gfdt.causal_map(answer_of(data))
    assert names(found) == {("x3", "x1"), ("x3", "x2")} and found.wrong(CONFOUNDER) == (0, 0)
    correlated = gfdt.causal_map(gfdt.lagged_correlations(data, lags=8.0))
    assert {("x1", "x2"), ("x2", "x1")} < names(correlated) and correlated.wrong(torch.tensor(CONFOUNDER))[0] >= 2
    assert correlated.method == "correlation" and found.method == "gaussian"


def test_a_go_between_acts_at_lag_one_and_its_chain_in_the_long_run():
    answer = answer_of(run(MEDIATOR))
    assert names(gfdt.causal_map(answer)) == {("x1", "x2"), ("x2", "x3")}
    assert names(gfdt.causal_map(answer, over="all lags")) == {("x1", "x2"), ("x2", "x3"), ("x1", "x3")}
    long_run = gfdt.causal_map(answer, over="all lags", own=True)
    exact = gfdt.MarkovChain(matrix=MEDIATOR).response(answer.times)
    spread = torch.tensor(answer.info["spread"])
    summed = torch.trapezoid(exact, answer.times, dim=0) * spread / spread[:, None]
    assert ((long_run.strength - summed) / long_run.standard_error).abs().max() < 4
    assert long_run.standard_error[0, 0] < 0.1


def test_the_rate_is_the_jacobian_of_a_drift_in_continuous_time():
    drift = torch.tensor([[-1.0, 0.8, 0.0], [0.0, -1.0, 0.8], [0.0, 0.0, -1.0]])
    system = gfdt.SDE(
        lambda x, p: drift @ x, lambda x, p: torch.ones(3), {}, components=("a", "b", "c"), observed=("a", "b", "c"), spinup=10.0,
    )  # fmt: skip
    data = gfdt.simulate(system, members=64, duration=400.0, every=0.25)
    answer = answer_of(data, lags=2.0)
    rate = gfdt.causal_map(answer, over="rate", own=True)
    spread = torch.tensor(data.spread)
    jacobian = drift * spread / spread[:, None]
    assert rate.wrong(drift) == (0, 0) and ((rate.strength - jacobian).abs() < 4 * rate.standard_error + 0.02).all()
    assert ("c", "a") in names(gfdt.causal_map(answer))  # c → b → a within one sampling interval


def test_false_discoveries_are_controlled():
    """Independent variables: at a rate of 10 % a link is found in about 10 % of the maps."""
    found = []
    for seed in range(60):
        u = torch.randn(16, 200, 4, generator=torch.Generator().manual_seed(seed))
        data = gfdt.TimeSeries(u, torch.arange(200.0), "mtc")
        found.append(len(gfdt.causal_map(answer_of(data, lags=2.0), false_discovery_rate=0.1).links) > 0)
    assert 1 <= sum(found) <= 14, sum(found)  # 6 expected; beyond both ends with a chance of half a per cent each


def test_p_values_are_adjusted_and_the_diagonal_is_left_out():
    found = gfdt.causal_map(answer_of(run(CONFOUNDER)))
    assert found.p_value.diagonal().isnan().all() and found.adjusted.diagonal().isnan().all() and not found.present.diagonal().any()
    off = ~torch.eye(3, dtype=torch.bool)
    assert (found.adjusted[off] >= found.p_value[off]).all()
    assert ((found.strength.abs() > found.null)[off] == (found.p_value < found.rate)[off]).all() and found.null.diagonal().isnan().all()
    assert gfdt.causal_map(answer_of(run(CONFOUNDER)), own=True).present.diagonal().all()


def test_the_combined_form_has_deviations_so_that_several_lags_can_be_summed():
    data = run(CONFOUNDER)
    answer = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=8.0, form="combined")
    assert answer.deviations.shape[1:] == answer.values.shape
    gaussian = gfdt.causal_map(answer_of(data), over="all lags")
    combined = gfdt.causal_map(answer, over="all lags")
    assert ((combined.standard_error / gaussian.standard_error).log().abs() < 0.7).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: gfdt.causal_map(a, over="any lag"), "over"),
        (lambda a: gfdt.causal_map(a, false_discovery_rate=2.0), "false_discovery_rate"),
        (lambda a: gfdt.causal_map(a.between("x1", "x2")), "two or more unlike variables"),
        (lambda a: gfdt.causal_map(dataclasses.replace(a, standard_error=None)), "needs standard errors"),
        (lambda a: gfdt.causal_map(gfdt.perturb(gfdt.MarkovChain(), lags=4.0, pairs=16)), "and not one in closed form or of twins"),
        (lambda a: gfdt.causal_map(answer_of(run(CONFOUNDER, duration=300.0), lags=3.0), over="rate"), "needs 4 lags or more"),
        (lambda a: gfdt.causal_map(dataclasses.replace(a, dof=0.0)), "standard errors are not known"),
        (lambda a: gfdt.causal_map(a).wrong([0.0, 1.0, 0.0]), "one row and one column"),
        (lambda a: gfdt.causal_map(dataclasses.replace(a, deviations=None), over="all lags"), "deviations"),
        (lambda a: gfdt.lagged_correlations(gfdt.simulate(gfdt.DoubleWell(), members=8, duration=50.0), lags=2.0), "no axis c"),
        (lambda a: gfdt.lagged_correlations(gfdt.TimeSeries(torch.ones(8, 20, 2), torch.arange(20.0), "mtc"), lags=2.0), "does not vary"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(answer_of(run(CONFOUNDER, duration=300.0)))


def test_maps_are_drawn_as_matrices_and_as_graphs():
    data = run(CONFOUNDER)
    maps = {"response": gfdt.causal_map(answer_of(data)), "correlation": gfdt.causal_map(gfdt.lagged_correlations(data, lags=8.0))}
    matrices = figures.causal_matrices(maps)
    heat = [trace for trace in matrices.data if trace.type == "heatmap"]
    assert len(heat) == 2 and float(heat[0].z[0][2]) == pytest.approx(float(maps["response"].strength[0, 2]))
    dots = next(trace for trace in matrices.data if trace.name == "present")
    assert set(zip(dots.x, dots.y, strict=True)) == names(maps["response"])
    graphs = figures.causal_graphs(maps, torch.tensor(CONFOUNDER))
    kinds = [trace.line.dash for trace in graphs.data if trace.mode == "lines" and trace.x[0] is not None]
    false = sum(one.wrong(torch.tensor(CONFOUNDER))[0] for one in maps.values())
    assert kinds.count("solid") == 4 and kinds.count("dash") == false >= 2
    missed = figures.causal_graphs({"response": maps["response"]}, torch.ones(3, 3))
    assert sum(trace.line.dash == "dot" for trace in missed.data if trace.mode == "lines" and trace.x[0] is not None) == 4
    with pytest.raises(ValueError, match="same variables"):
        figures.causal_matrices({})


def test_a_linear_inverse_model_is_right_for_a_linear_system_and_dynamic_modes_for_a_bent_one():
    data = run(MEDIATOR)
    kicks = component_kicks(data.components)
    found = gfdt.dynamic_modes(data, lambda u: u, kicks, lags=6.0, integrate=False)
    exact = gfdt.MarkovChain(matrix=MEDIATOR).response(torch.arange(7.0))
    for number, name in enumerate(data.components):
        one = found[name]
        assert one.method == "linear inverse model"
        assert ((one.values.double() - exact[:, :, number])[1:].abs() < 5 * one.standard_error.double()[1:]).all()
    well = gfdt.simulate(gfdt.DoubleWell(), members=64, duration=200.0, every=0.1)
    push = {"push": (torch.ones_like, lambda u: 0.0)}
    truth = gfdt.DoubleWell().response(torch.arange(21) * 0.1)
    off = {}
    for dictionary in (None, gfdt.observables.products(well, 9)):
        one = gfdt.dynamic_modes(well, lambda u: u, push, lags=2.0, integrate=False, dictionary=dictionary)["push"]
        off[one.method] = float((one.values - truth).norm() / truth.norm())
    assert off["dynamic modes"] < 0.05 < 0.15 < off["linear inverse model"], off
    with pytest.raises(ValueError, match="a few variables without space"):
        field = gfdt.simulate(gfdt.OrnsteinUhlenbeck(grid=gfdt.PeriodicGrid((4, 4))), members=8, duration=60.0)
        gfdt.dynamic_modes(field, lambda u: u.mean((-1, -2)), {"lam": gfdt.OrnsteinUhlenbeck().drift_derivative("lam")}, lags=2.0)
