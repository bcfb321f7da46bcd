"""Series of unlike variables: matrices of scores, of responses and of twins."""

import numpy as np
import pytest
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial.__main__ import main
from gfdt_tutorial.data.reading import read_series
from gfdt_tutorial.data.suitability import examine
from gfdt_tutorial.responses.component_products import applied, divided
from gfdt_tutorial.scores.loading import load_score
from gfdt_tutorial.scores.one_variable import KernelScore

CHAIN = torch.tensor([[0.5, 0.04, 0.0], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]], dtype=torch.float64)
UNITS = torch.tensor([1.0, 1e4, 1e-4], dtype=torch.float64)
NAMES = ("a", "b", "c")


def chain(members=8, steps=4000, units=UNITS, seed=0):
    """x ← A x + ξ, each component in a unit of its own."""
    rng, x, rows = torch.Generator().manual_seed(seed), torch.zeros(members, 3, dtype=torch.float64), []
    for _ in range(steps + 100):
        x = x @ CHAIN.T + torch.randn(members, 3, generator=rng, dtype=torch.float64)
        rows.append(x)
    u = torch.stack(rows[100:], 1) * units
    return gfdt.TimeSeries(u.float(), np.arange(float(steps)), "mtc", components=NAMES, units=("K", "m", "kg"))


DATA = chain()


def linear(drift, variables=("x", "y")):
    matrix = torch.tensor(drift)
    return gfdt.SDE(
        lambda x, p: p["rate"] * (matrix @ x), lambda x, p: torch.ones(len(drift)), {"rate": 1.0}, components=variables, observed=variables,
        spinup=10.0, every=0.1, lags=2.0,
    )  # fmt: skip


def test_a_series_keeps_the_names_of_its_components(tmp_path):
    assert DATA.components == NAMES and DATA.shape == (3,) and DATA.grid.shape == () and DATA.axes == "mtc"
    assert gfdt.TimeSeries(np.zeros((9, 2)), np.arange(9.0), "tc").components == ("x1", "x2")
    read = gfdt.TimeSeries.load(DATA.save(tmp_path / "series.npz"))
    assert read.components == NAMES and read.units == ("K", "m", "kg") and torch.equal(read.u, DATA.u)
    for part in (*DATA.split(0.5), DATA.cut(0, 100), DATA.both_ways()):
        assert part.components == NAMES and part.units == ("K", "m", "kg")
    fields = gfdt.TimeSeries(np.random.default_rng(0).normal(size=(2, 9, 3, 4, 6)), np.arange(9.0), "mtcyx")
    assert fields.grid.shape == (4, 6) and fields.shape == (3, 4, 6)
    torch.testing.assert_close(fields.centre[:, 0, 0], fields.u.mean((0, 1, 3, 4)))
    assert gfdt.TimeSeries(np.zeros((9, 4)), np.arange(9.0), "tx").components is None


@pytest.mark.parametrize(
    ("axes", "names"), [("mt", ("a",)), ("mtc", ("a",)), ("mtc", ("a", "a")), ("mtc", "ab")], ids=["no axis", "too few", "twice", "a text"]
)
def test_names_that_do_not_fit_are_refused(axes, names):
    u = np.zeros((2, 9) if axes == "mt" else (2, 9, 2))
    with pytest.raises(ValueError, match="components is"):
        gfdt.TimeSeries(u, np.arange(9.0), axes, components=names)


def test_the_gaussian_score_of_components_is_that_of_their_covariance_matrix():
    score = gfdt.GaussianScore.fit(DATA)
    flat = DATA.u.double().flatten(0, 1)
    expected = -torch.linalg.solve(torch.cov(flat.T, correction=0), (flat - flat.mean(0)).T).T
    torch.testing.assert_close(score(DATA.u).double().flatten(0, 1) * UNITS, expected * UNITS, rtol=1e-4, atol=1e-5)
    stein = -(flat - flat.mean(0)).T @ score(DATA.u).double().flatten(0, 1) / len(flat)
    torch.testing.assert_close(stein * UNITS / UNITS[:, None], torch.eye(3, dtype=torch.float64), rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="no common unit"):
        score(DATA.u, sigma=0.1)


@pytest.mark.parametrize("axes", ["mt", "mtyx"])
def test_one_component_gives_what_the_series_without_the_axis_gives(axes):
    if axes == "mt":
        alone = gfdt.simulate(gfdt.DoubleWell(), members=8, duration=100.0, every=0.25, device="cpu")
    else:
        alone = gfdt.simulate(gfdt.OrnsteinUhlenbeck(grid=gfdt.PeriodicGrid((4, 6))), members=8, duration=60.0, device="cpu")
    one = gfdt.TimeSeries(alone.u.unsqueeze(2), alone.times, axes.replace("mt", "mtc"))
    lags = 10 * alone.every
    plain, matrix = (gfdt.respond_in_forms(data, gfdt.GaussianScore.fit(data), lags=lags, seed=3) for data in (alone, one))
    for form, response in plain.items():
        assert matrix[form].values.shape[1:3] == (1, 1)
        torch.testing.assert_close(matrix[form].values[:, 0, 0], response.values, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(matrix[form].standard_error[:, 0, 0], response.standard_error, rtol=1e-3, atol=1e-6)


def test_the_responses_of_a_markov_chain_are_powers_of_its_matrix():
    exact = torch.stack([torch.linalg.matrix_power(CHAIN, lag) for lag in range(16)])
    for form, response in gfdt.respond_in_forms(DATA, gfdt.GaussianScore.fit(DATA), lags=15.0).items():
        assert response.components == NAMES and response.form == form
        scaled, error = (values.double() * UNITS / UNITS[:, None] for values in (response.values, response.standard_error))
        off = ((scaled - exact) / error)[1:]
        assert (scaled - exact)[1:].norm() < 0.12 * exact[1:].norm()
        assert (off.abs() < 1.69).double().mean() > 0.75 and off.abs().max() < 6
        assert scaled[1, 0, 2].abs() < 4 * error[1, 0, 2]  # c drives nobody


def test_units_change_the_numbers_and_nothing_else():
    plain = chain(units=torch.ones(3, dtype=torch.float64), steps=400)
    other = chain(steps=400)
    for form, response in gfdt.respond_in_forms(plain, torch.neg, lags=5.0).items():
        in_units = gfdt.respond_in_forms(other, lambda u: -u / UNITS.square(), lags=5.0)[form]
        torch.testing.assert_close(
            (in_units.values.double() * UNITS / UNITS[:, None]).float(),
            response.values,
            rtol=2e-3,
            atol=2e-5 * float(response.values.max()),
        )


def test_the_control_variate_stands_on_the_left():
    found = gfdt.respond_in_forms(DATA, lambda u: -u / UNITS.to(u).square(), lags=5.0)
    gaussian = gfdt.respond(DATA, gfdt.GaussianScore.fit(DATA), lags=5.0).values.double()
    raw = found["raw"].values.double()
    weights = UNITS / UNITS[:, None]
    expected = gaussian + raw - gaussian @ raw[0]
    torch.testing.assert_close(found["controlled"].values.double() * weights, expected * weights, rtol=0, atol=2e-4)
    wrong = gaussian + raw - raw[0] @ gaussian
    assert ((wrong - expected) * weights).abs().max() > 0.01
    normalised = raw @ torch.linalg.inv(raw[0])
    torch.testing.assert_close(found["normalised"].values.double() * weights, normalised * weights, rtol=0, atol=2e-4)


def test_products_of_modes_are_those_of_matrices_at_each_wavevector():
    rng = torch.Generator().manual_seed(0)
    left, right = (torch.randn(3, 5, 2, 2, generator=rng, dtype=torch.complex128) for _ in range(2))
    modes = [each.permute(0, 2, 3, 1).flatten(1) for each in (left, right)]
    back = (left @ right).permute(0, 2, 3, 1).flatten(1)
    torch.testing.assert_close(applied(*modes, 2), back)
    torch.testing.assert_close(divided(back, modes[1], 2), modes[0])
    torch.testing.assert_close(applied(*modes, 0), modes[0] * modes[1])


def test_twins_kick_each_component_in_turn():
    system = linear([[-1.0, 0.5], [0.0, -2.0]])
    found = gfdt.perturb(system, lags=2.0, pairs=16, every=0.1, device="cpu")
    exact = torch.linalg.matrix_exp(found.times[:, None, None] * torch.tensor([[-1.0, 0.5], [0.0, -2.0]]).double())
    assert found.components == ("x", "y")
    torch.testing.assert_close(found.values.double(), exact, rtol=0, atol=2e-4)  # the step is of order two
    assert float(found.standard_error.max()) < 1e-4
    data = gfdt.simulate(system, members=32, duration=200.0, every=0.1, device="cpu")
    answer = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=2.0)
    assert gfdt.compare(answer, found).quoted["l2"] < 0.06
    assert answer.between("y", "x").values.abs().max() < 4 * answer.between("y", "x").standard_error.max()
    with pytest.raises(ValueError, match="kicked one by one"):
        gfdt.perturb(system, lags=2.0, pairs=16, every=0.1, kick="random signs")


def test_one_of_the_pairs_can_be_chosen_and_a_kick_can_have_any_shape(tmp_path):
    response = gfdt.respond(DATA, gfdt.GaussianScore.fit(DATA), lags=5.0)
    one = response.between("b", "a")
    assert torch.equal(one.values, response.values[:, 1, 0]) and one.components is None and one.info["between"] == ["b", "a"]
    kick = torch.tensor([1.0, -2e4, 0.0])
    torch.testing.assert_close(response.to(kick), response.values @ kick)
    read = gfdt.Response.load(response.save(tmp_path / "matrix.npz"))
    assert read.components == NAMES and torch.equal(read.values, response.values)
    for refused, words in (
        (lambda: response.along(0), "choose one"),
        (response.normalise, "choose one"),
        (lambda: response.between("b", "d"), "component"),
        (lambda: one.between("b", "a"), "not one of several components"),
        (lambda: response.to(torch.ones(2)), "3 components"),
    ):
        with pytest.raises(ValueError, match=words):
            refused()


@pytest.mark.parametrize(
    "use",
    [
        lambda: gfdt.fit_forecast(DATA, 5.0, preset="tiny"),
        lambda: examine(DATA),
        lambda: KernelScore.fit(DATA),
    ],
    ids=["fit_forecast", "examine", "kernel"],
)
def test_what_does_not_take_components_says_so(use):
    with pytest.raises(ValueError, match=r"3 components \(a, b, c\), which this function does not take"):
        use()


def test_what_has_no_meaning_for_components_is_refused():
    score = gfdt.GaussianScore.fit(DATA)
    with pytest.raises(ValueError, match="are those of one field"):
        gfdt.respond(DATA, score, lags=5.0, symmetries=("sign",))
    with pytest.raises(ValueError, match="kick at one pixel"):
        gfdt.sensitivities(DATA, score, lambda u: u[..., 0], {"kick": None}, lags=5.0)
    with pytest.raises(ValueError, match="needs 30 at least"):
        gfdt.GaussianScore.fit(DATA.cut(0, 3))
    twice = gfdt.TimeSeries(DATA.u[..., [0, 0]], DATA.times, "mtc")
    with pytest.raises(ValueError, match="a linear function of the others"):
        gfdt.GaussianScore.fit(twice)
    with pytest.raises(ValueError, match="each once"):
        linear([[-1.0, 0.5], [0.0, -2.0]], ("x", "y")).__class__(
            lambda x, p: -x, lambda x, p: torch.ones(2), {}, components=("x", "y"), observed=("x", "x")
        )


def test_observables_of_components_respond_to_a_parameter_of_their_drift():
    system = linear([[-1.0, 0.5], [0.0, -2.0]])
    data = gfdt.simulate(system, members=64, duration=200.0, every=0.1, device="cpu")
    change = {"rate": system.drift_derivative("rate")}
    found = gfdt.sensitivities(data, gfdt.GaussianScore.fit(data), lambda u: u.square(), change, lags=4.0)["rate"]
    assert found.values.shape == (41, 2)
    covariance = torch.tensor([[1 / 2 * (1 + 0.5**2 / (2 * 3)), 0.0], [0.0, 1 / 4]])  # from A C + C Aᵀ = −1
    last = found.values[-1] + covariance.diagonal()  # C is inversely proportional to the rate
    assert (last.abs() < 4 * found.standard_error[-1] + 0.01).all()


def test_projecting_on_a_dictionary_makes_its_moments_exact_at_lag_0_whatever_the_score():
    data = gfdt.simulate(gfdt.DoubleWell(), members=32, duration=200.0, every=0.25, device="cpu")
    change = {"force": (torch.ones_like, lambda u: 0.0)}
    options = {"lags": 1.0, "integrate": False}
    gaussian = gfdt.GaussianScore.fit(data)

    def at_zero(**more):
        return float(gfdt.sensitivities(data, gaussian, lambda u: u, change, **options, **more)["force"].values[0])

    def cubes(**more):
        return gfdt.sensitivities(data, gaussian, lambda u: torch.stack([u, u**3], -1), change, **options, **more)["force"].values

    exact = 3 * float(data.u.square().mean())
    assert abs(float(cubes(form="raw")[0, 1]) - exact) > 0.05 * exact
    assert at_zero(dictionary=lambda u: u**3) == pytest.approx(1.0, abs=2e-3)
    beside = gfdt.sensitivities(data, gaussian, lambda u: u, change, dictionary=lambda u: u**3, **options)["force"]
    torch.testing.assert_close(beside.values[:, None] if beside.values.ndim == 1 else beside.values, cubes()[:, :1], rtol=1e-4, atol=1e-5)
    plain = gfdt.sensitivities(data, gaussian, lambda u: u, change, **options)["force"]
    well = gfdt.DoubleWell().response(plain.times)
    assert (beside.values - well).abs().max() < 0.5 * (plain.values - well).abs().max()


def hermite_well():
    return gfdt.simulate(gfdt.DoubleWell(), members=64, duration=200.0, every=0.25, device="cpu")


def test_a_polynomial_score_of_degree_one_is_the_gaussian_and_of_degree_three_that_of_the_well():
    data, well = hermite_well(), gfdt.DoubleWell()
    gaussian, first = gfdt.GaussianScore.fit(data), gfdt.PolynomialScore.fit(data, degree=1)
    torch.testing.assert_close(first(data.u), gaussian(data.u), rtol=1e-5, atol=1e-5)
    true = well.score(data.u)
    off = [float((gfdt.PolynomialScore.fit(data, degree=degree)(data.u) - true).std() / true.std()) for degree in (1, 2, 3)]
    assert off[2] < 0.05 < 0.5 < off[1] < off[0]
    matrix = gfdt.PolynomialScore.fit(DATA, degree=1)(DATA.u)
    torch.testing.assert_close(matrix * UNITS, gfdt.GaussianScore.fit(DATA)(DATA.u) * UNITS, rtol=1e-3, atol=1e-4)


def test_averages_of_the_basis_with_a_polynomial_score_are_exact_in_any_units():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 4000))
    u = np.stack([x, 1e3 * (x**2 + 0.5 * rng.normal(size=x.shape))], -1)
    data = gfdt.TimeSeries(u, np.arange(4000.0), "mtc")
    s = gfdt.PolynomialScore.fit(data, degree=3)(data.u).double()[0]
    u = data.u.double()[0] - data.centre.double()
    products = (u[:, 0] ** 2 * u[:, 1], 2 * u[:, 0] * u[:, 1], u[:, 0] ** 2)  # φ and its derivatives
    for i in range(2):
        size = float((products[0].abs() * s[:, i].abs()).mean())
        assert float((products[0] * s[:, i]).mean() + products[1 + i].mean()) == pytest.approx(0, abs=2e-3 * size)
    response = gfdt.respond(data, gfdt.PolynomialScore.fit(data, degree=3), lags=5.0)
    assert response.method == "polynomial" and response.standard_error[0].max() < 1e-4  # R(0) is the identity on these data


def test_polynomial_scores_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="fields of shape"):
        gfdt.PolynomialScore.fit(gfdt.simulate(gfdt.OrnsteinUhlenbeck(), members=4, duration=10.0, device="cpu"))
    with pytest.raises(ValueError, match="take a lower degree or a longer series"):
        gfdt.PolynomialScore.fit(DATA.cut(0, 20), degree=5)
    with pytest.raises(ValueError, match="a linear function of the others"):
        gfdt.PolynomialScore.fit(gfdt.TimeSeries(DATA.u[..., [0, 0]], DATA.times, "mtc"))
    with pytest.raises(ValueError, match="degree"):
        gfdt.PolynomialScore.fit(DATA, degree=0)


def multiplicative(variables):
    """ẋ = −x + √(1 + εx²) ξ, and perhaps an independent y, at ε = 0."""

    def noise(x, p):
        own = torch.sqrt(1 + p["epsilon"] * x[:1].square())
        return torch.cat([own, 2 + 0 * x[1:]])

    shown = variables if len(variables) > 1 else None
    options = {"components": variables, "observed": shown, "spinup": 5.0, "every": 0.1, "dt": 0.05}
    return gfdt.SDE(lambda x, p: -x, noise, {"epsilon": 0.0}, **options)


@pytest.mark.parametrize(("variables", "form"), [(("x",), "raw"), (("x",), "controlled"), (("x", "y"), "controlled")])
def test_a_change_of_noise_that_depends_on_the_state_has_its_closed_form(variables, form):
    system = multiplicative(variables)
    data = gfdt.simulate(system, members=64, duration=200.0, every=0.1, device="cpu")
    score = gfdt.GaussianScore.fit(data)
    change = {"epsilon": gfdt.diffusion_change(score, system.diffusion_derivative("epsilon"))}
    first = (lambda u: u.square()) if len(variables) == 1 else (lambda u: u[..., 0].square())
    found = gfdt.sensitivities(data, score, first, change, lags=5.0, form=form)["epsilon"]
    assert found.standard_error[-1] < (0.07 if form == "raw" else 0.04)
    assert float(found.values[-1]) == pytest.approx(0.25, abs=3 * float(found.standard_error[-1]))


def test_a_controlled_response_to_noise_starts_from_two_derivatives_whatever_the_score():
    data = gfdt.simulate(multiplicative(("x",)), members=16, duration=100.0, every=0.1, device="cpu")
    wrong = gfdt.diffusion_change(lambda u: -0.5 * u, lambda x: torch.ones(1, 1))
    options = {"lags": 1.0, "integrate": False}
    observable = lambda u: torch.stack([u, u.square(), u**3], -1)  # noqa: E731
    start = gfdt.sensitivities(data, lambda u: -0.5 * u, observable, {"noise": wrong}, **options)["noise"].values[0]
    torch.testing.assert_close(start, torch.tensor([0.0, 1.0, 3 * float(data.u.mean())]), rtol=0.02, atol=0.02)
    raw = gfdt.sensitivities(data, lambda u: -0.5 * u, observable, {"noise": wrong}, form="raw", **options)["noise"].values[0]
    assert abs(float(raw[1]) - 1) > 0.3
    with pytest.raises(ValueError, match="symmetric matrix"):
        gfdt.diffusion_change(torch.neg, lambda x: torch.ones(2, 2))[0](data.u[:1, :2])


def test_a_file_of_components_is_read_with_its_names(tmp_path):
    read = read_series(DATA.save(tmp_path / "saved.npz"))
    assert read.components == NAMES and read.units == DATA.units and torch.equal(read.u, DATA.u)
    plain = tmp_path / "plain.npy"
    np.save(plain, DATA.u[0].T.numpy())  # component, time
    bare = read_series(plain, axes="ct", every=0.5, components=("a", "b", "c"))
    assert bare.components == NAMES and torch.equal(bare.u[0], DATA.u[0]) and bare.every == 0.5
    spoiled = DATA.u[0].T.numpy().copy()
    spoiled[1, 7] = np.nan
    np.save(plain, spoiled)
    with pytest.raises(ValueError, match="component 2 of 3: 1 of 4000 values are NaN"):
        read_series(plain, axes="ct", every=0.5)


def test_the_command_line_simulates_learns_and_responds(tmp_path):
    """A function that makes a system; a score by a network, and in closed form; the combined form."""
    series, folder = str(tmp_path / "series.npz"), str(tmp_path / "score")
    system = "gfdt_tutorial.systems.enso_triad:enso_triad"
    assert not main(["simulate", "--system", system, "--members", "8", "--duration", "20", "--every", "0.2", "--out", series])
    assert not main(["fit-score", series, "--preset", "tiny", "--out", folder])
    assert load_score(folder).components == ("u1", "u2", "tau")
    for score, form in ((folder, "controlled"), ("polynomial", "raw"), ("gaussian", "combined")):
        out = str(tmp_path / f"{form}.npz")
        assert not main(["respond", series, "--score", score, "--form", form, "--lags", "2", "--out", out])
        found = gfdt.Response.load(out)
        assert found.form == form and found.values.shape == (11, 3, 3) and found.components == ("u1", "u2", "tau")


def test_errors_do_not_depend_on_units():
    plain, other = chain(units=torch.ones(3, dtype=torch.float64), steps=400), chain(steps=400)
    errors = []
    for data, units in ((plain, torch.ones(3, dtype=torch.float64)), (other, UNITS)):
        exact = torch.stack([torch.linalg.matrix_power(CHAIN, lag) for lag in range(6)]) * units[:, None] / units
        truth = gfdt.Response(torch.arange(6.0, dtype=torch.float64), exact, "exact", components=NAMES)
        found = gfdt.respond(data, gfdt.GaussianScore.fit(data), lags=5.0)
        errors.append(gfdt.compare(found, truth).quoted)
        worse = gfdt.respond(data, lambda u, units=units: -u / units.square(), lags=5.0)
        assert gfdt.difference(worse, found, truth).value > 0
    assert errors[1]["l2"] == pytest.approx(errors[0]["l2"], rel=1e-3) and 0.02 < errors[0]["l2"] < 0.3
    assert errors[1]["l2_se_data"] == pytest.approx(errors[0]["l2_se_data"], rel=0.05)
