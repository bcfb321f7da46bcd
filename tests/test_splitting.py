"""Splitting: exact where its parts are, of the order that it states, and with the noise's covariance."""

import math

import pytest
import torch

from gfdt_tutorial import PeriodicGrid
from gfdt_tutorial.systems.splitting import double_well_flow, split_steps
from gfdt_tutorial.systems.white_noise import WhiteNoise

CPU = torch.device("cpu")
GRID = PeriodicGrid((16, 16))


def linear_flow(h):
    return lambda u: u * math.exp(-0.3 * h)


def waves():
    y, x = (axis.float() for axis in GRID.coordinates)
    return (0.6 * torch.cos(x)[None, :] + 0.4 * torch.sin(2 * y + 1)[:, None])[None]


def test_the_flow_of_the_double_well_is_exact():
    u, h = torch.tensor([-1.5, -1.0, -0.2, 0.0, 0.4, 1.0], dtype=torch.float64), 0.7
    path, steps = u.clone(), 20_000
    for _ in range(steps):
        middle = path + 0.5 * h / steps * 2 * (path - path**3)
        path = path + h / steps * 2 * (middle - middle**3)
    torch.testing.assert_close(double_well_flow(h, strength=2.0)(u), path, atol=1e-7, rtol=0)


@pytest.mark.parametrize(("order", "coarse"), [(2, 1 / 4), (4, 1 / 2)])
def test_the_error_falls_with_the_stated_order(order, coarse):
    def end(dt, order):
        return GRID.irfft(split_steps(GRID, 0.2 * GRID.laplacian, double_well_flow, 1.0, dt, CPU, order=order)(GRID.rfft(waves()), None))

    exact = end(1 / 64, 4)
    errors = [float((end(dt, order) - exact).norm()) for dt in (coarse, coarse / 2)]
    assert order - 0.4 < math.log2(errors[0] / errors[1]) < order + 0.6


def test_linear_parts_commute_so_that_any_step_is_exact():
    rates = 0.2 * GRID.laplacian - 0.5 * GRID.derivative(-1)
    step = split_steps(GRID, rates, linear_flow, 2.0, 2.0, CPU)
    exact = GRID.irfft(GRID.rfft(waves()) * torch.exp(2.0 * (rates - 0.3)).to(torch.complex64))
    torch.testing.assert_close(GRID.irfft(step(GRID.rfft(waves()), None)), exact, atol=1e-6, rtol=1e-5)


def test_with_noise_the_covariance_is_that_of_the_linear_equation():
    """The relaxation is the "reaction"; the error of the step, of order h², is then below a thousandth."""
    noise = GRID.size * 0.01 * GRID.inverse_helmholtz
    step = split_steps(GRID, 0.02 * GRID.laplacian, linear_flow, 10.0, 0.25, CPU, noise=noise)
    normals = WhiteNoise(GRID, range(2000), 0)
    spectra = torch.zeros(2000, *GRID.spectral_shape, dtype=torch.complex64)
    for _ in range(3):
        spectra = step(spectra, normals)
    found = GRID.rfft(GRID.irfft(spectra)).abs().square().mean(0) / GRID.size
    exact = noise / (2 * (0.3 + 0.02 * GRID.k_squared))
    assert float((found / exact - 1).abs().mean()) < 0.03  # 2,000 samples scatter by 0.022 or 0.032
    assert abs(float((found / exact).mean()) - 1) < 0.01


@pytest.mark.parametrize(("options", "message"), [({"order": 3}, "order is 3"), ({"order": 4, "noise": torch.ones(16, 9)}, "with noise")])
def test_what_has_no_such_order_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        split_steps(GRID, GRID.laplacian, double_well_flow, 1.0, 0.1, CPU, **options)
