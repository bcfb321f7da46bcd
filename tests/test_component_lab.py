"""The lab of unlike variables: its view, its panel and its widget; the figure of a matrix of responses; twins of observables."""

import numpy as np
import pytest
import torch

import gfdt_tutorial as gfdt
from gfdt_tutorial import figures
from gfdt_tutorial.course import panels, views, widgets
from gfdt_tutorial.course.views.component_lab import moments, pairs_of, together
from gfdt_tutorial.systems.cubic import stationary_average

TRIAD = gfdt.enso_triad()
DATA = gfdt.simulate(TRIAD, members=32, duration=40.0, every=0.4)
DRIFT = torch.tensor([[-0.2, -0.4, 1.0], [0.4, -0.2, 0.0], [0.0, 0.0, -2.0]], dtype=torch.float64)


@pytest.fixture(scope="module")
def lab():
    return views.ComponentLab.of(TRIAD, DATA, {"gaussian": gfdt.GaussianScore.fit(DATA)}, lags=4.0)


def test_twins_of_the_state_follow_the_linear_drift():
    kicks = {name: gfdt.Change(name, 0.1) for name in TRIAD.components}
    found = gfdt.observable_twins(TRIAD, kicks, lambda u: u, lags=2.0, every=0.5, members=2048)
    exact = torch.stack([torch.linalg.matrix_exp(DRIFT * t) for t in found["u1"].times])
    for column, name in enumerate(TRIAD.components):
        off = (found[name].values.double() - exact[:, :, column]).abs()
        assert (off < 5 * found[name].standard_error.double() + 1e-3).all()
    number = gfdt.observable_twins(TRIAD, kicks, lambda u: u[:, 1], lags=2.0, every=0.5, members=2048)["u1"]
    torch.testing.assert_close(number.values, found["u1"].values[:, 1])


def test_twins_of_a_parameter_agree_with_quadrature():
    system = gfdt.cubic_number()
    found = gfdt.observable_twins(system, {"F": gfdt.Change("F", 0.05)}, lambda u: u, lags=20.0, every=5.0, members=2048)["F"]
    up, down = (stationary_average({**system.parameters, "F": 0.72 + change}, lambda x: x) for change in (0.05, -0.05))
    assert abs(float(found.values[-1]) - float(up - down) / 0.1) < 4 * float(found.standard_error[-1]) + 0.02


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (gfdt.Change("rho", 0.1), {}, "what changes"),
        (gfdt.Change("u1", 0.0), {}, "size 0"),
        (gfdt.Change("u1", 0.1), {"members": 100}, "multiple of 16"),
    ],
)
def test_bad_changes_are_refused(change, options, message):
    with pytest.raises(ValueError, match=message):
        gfdt.observable_twins(TRIAD, {"": change}, lambda u: u, lags=1.0, every=0.5, **options)


def test_the_lab_has_every_kick_and_every_parameter(lab):
    assert list(lab.sizes) == [*TRIAD.components, *TRIAD.parameters]
    assert moments(DATA.u).shape[-1] == 9 and pairs_of(3)[-1] == (2, 2)
    kick = views.ComponentChange(lab, "u1", 50.0)
    answer = kick.predicted["gaussian"]
    exact = torch.stack([torch.linalg.matrix_exp(DRIFT * t) for t in kick.times])[:, :, 0] * 0.5 * lab.sizes["u1"]
    assert (answer.values[:, :3].double() - exact).norm() < 0.15 * exact.norm()
    half = views.ComponentChange(lab, "u1", 25.0).predicted["gaussian"]
    torch.testing.assert_close(2 * half.values, answer.values)
    torch.testing.assert_close(2 * half.standard_error, answer.standard_error)
    rounds = [kick.measured(seed) for seed in (0, 1)]
    both = together(rounds)
    torch.testing.assert_close(both.values, (rounds[0].values + rounds[1].values) / 2)
    assert len(both.parts) == 32 and (both.values[:, :3].double() - exact).norm() < 0.1 * exact.norm()
    assert views.ComponentChange(lab, "omega", 20.0).caveats() and not kick.caveats()
    with pytest.raises(ValueError, match="what changes"):
        views.ComponentChange(lab, "rho")


def test_the_panel_and_the_widget_show_the_same(lab):
    view = views.ComponentChange(lab, "sigma_3", 20.0)
    drawn = panels.component_changes(view)
    shown = widgets.ComponentResponses(lab, "sigma_3")
    assert shown.readout.value.count("+20 % of the value of sigma_3") == 1
    assert len(drawn.data) == len(shown.figure.data) == 9 * 4
    for one, other in zip(drawn.data, shown.figure.data, strict=True):
        np.testing.assert_array_equal(np.asarray(one.y), np.asarray(other.y))
    assert drawn.layout.annotations[0].text == "δ⟨u1⟩" and "δ⟨tau tau⟩" in [note.text for note in drawn.layout.annotations]
    shown.controls["size"].value = 0
    assert not np.asarray(shown.figure.data[1].y).any() and shown._done()
    shown.close()


def test_a_matrix_of_responses_is_drawn_by_row_and_column():
    chain = gfdt.MarkovChain()
    exact = gfdt.exact_response(chain, lags=6.0)
    figure = figures.response_matrix({"exact": exact})
    assert len(figure.data) == 9
    np.testing.assert_allclose(figure.data[3].y, exact.values[:, 1, 0])  # row x2, column x1
    assert figure.layout.annotations[3].text == "x2 after a kick of x1"
    alone = exact.between("x1", "x2")
    for wrong in ({"alone": alone}, {}, {"exact": exact, "other": gfdt.respond(DATA, torch.neg, lags=4.0)}):
        with pytest.raises(ValueError, match="same unlike variables"):
            figures.response_matrix(wrong)
    wide = gfdt.MarkovChain(matrix=tuple(tuple(0.5 * (i == j) for j in range(9)) for i in range(9)))
    with pytest.raises(ValueError, match="9 × 9 panels"):
        figures.response_matrix({"exact": gfdt.exact_response(wide, lags=2.0)})
