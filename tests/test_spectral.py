"""Operators on the periodic grid: sines in, the sines of calculus out, and every trace against an explicit matrix."""

import math

import pytest
import torch

from gfdt_tutorial import AllenCahn, DoubleWell, NavierStokes, OrnsteinUhlenbeck, PeriodicGrid
from gfdt_tutorial.systems.simulate import Trajectory

GRIDS = [
    PeriodicGrid((33,)),
    PeriodicGrid((64,)),
    PeriodicGrid((16,), lengths=(3.0,)),
    PeriodicGrid((24, 48)),
    PeriodicGrid((32, 32)),
    PeriodicGrid((15, 20)),
    PeriodicGrid((20, 15), lengths=(1.0, 5.0)),
]
SMALL = [
    PeriodicGrid((8,)),
    PeriodicGrid((7,), lengths=(2.0,)),
    PeriodicGrid((4, 6)),
    PeriodicGrid((5, 3), lengths=(1.0, 4.0)),
    PeriodicGrid((3, 4)),
]
every_grid = pytest.mark.parametrize("grid", GRIDS, ids=str)
small_grid = pytest.mark.parametrize("grid", SMALL, ids=str)


def wavevector(grid, numbers):
    return [2 * math.pi * n / length for n, length in zip(numbers, grid.lengths, strict=True)]


def phase(grid, k, start=0.3):
    return start + sum(k_a * x_a for k_a, x_a in zip(k, torch.meshgrid(*grid.coordinates, indexing="ij"), strict=True))


def dense(grid, symbol):
    """The operator as a matrix between pixels."""
    unit_fields = torch.eye(grid.size, dtype=torch.float64).reshape(-1, *grid.shape)
    return grid.apply(symbol, unit_fields).reshape(grid.size, grid.size).T


def noise(grid, *leading):
    return torch.randn(*leading, *grid.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


@every_grid
def test_derivative_of_a_sine_is_a_cosine_along_every_axis(grid):
    k = wavevector(grid, (3, 2)[-len(grid.shape) :])
    angle = phase(grid, k)
    for axis in grid.axes:
        torch.testing.assert_close(grid.apply(grid.derivative(axis), angle.sin()), k[axis] * angle.cos())


@every_grid
def test_the_highest_wave_has_no_derivative_on_an_even_side_only(grid):
    for axis in grid.axes:
        along, across = ([n if a == axis else m for a in grid.axes] for n, m in ((grid.shape[axis] // 2, 0), (0, 1)))
        angle, other = phase(grid, wavevector(grid, along), start=0.0), phase(grid, wavevector(grid, across)).sin()
        slope = grid.apply(grid.derivative(axis), angle.cos() * other)
        expected = 0 * angle if grid.shape[axis] % 2 == 0 else -wavevector(grid, along)[axis] * angle.sin() * other
        torch.testing.assert_close(slope, expected, atol=1e-10, rtol=0)


def test_the_symbol_itself_vanishes_there_so_that_its_exponential_is_one():
    """A real transform would drop i k û at the Nyquist wave by itself, but not the phase in exp(−iA k t)."""
    grid = PeriodicGrid((4, 6))
    assert grid.derivative(-1)[:, 3].eq(0).all()
    assert grid.derivative(-2)[2].eq(0).all()


@every_grid
def test_a_plane_wave_is_an_eigenfunction_of_the_laplacian_and_of_sigma(grid):
    k = wavevector(grid, (2, 5)[-len(grid.shape) :])
    wave, k_squared = phase(grid, k).sin(), sum(x**2 for x in k)
    torch.testing.assert_close(grid.apply(grid.laplacian, wave), -k_squared * wave)
    torch.testing.assert_close(grid.apply(grid.inverse_helmholtz, wave), wave / (1 + k_squared))


@every_grid
def test_sigma_inverts_one_minus_the_laplacian(grid):
    u = noise(grid)
    torch.testing.assert_close(grid.apply(1 - grid.laplacian, grid.apply(grid.inverse_helmholtz, u)), u)


def test_wavenumbers_on_a_box_of_side_two_pi_are_integers():
    y, x = PeriodicGrid((4, 6)).wavenumbers
    assert y.flatten().tolist() == [0, 1, -2, -1]
    assert x.flatten().tolist() == [0, 1, 2, 3]


@small_grid
def test_trace_is_that_of_the_explicit_matrix(grid):
    symbols = {"Δ": grid.laplacian, "Σ": grid.inverse_helmholtz} | {f"∂{a}": grid.derivative(a) for a in grid.axes}
    for name, symbol in symbols.items():
        assert grid.trace(symbol) == pytest.approx(float(dense(grid, symbol).trace()), abs=1e-12), name


@small_grid
def test_laplacian_is_symmetric_and_a_derivative_antisymmetric(grid):
    torch.testing.assert_close(dense(grid, grid.laplacian), dense(grid, grid.laplacian).T)
    for axis in grid.axes:
        torch.testing.assert_close(dense(grid, grid.derivative(axis)), -dense(grid, grid.derivative(axis)).T)


@every_grid
def test_transform_and_back(grid):
    u = noise(grid, 2, 3)
    assert grid.rfft(u).shape == (2, 3, *grid.spectral_shape)
    torch.testing.assert_close(grid.irfft(grid.rfft(u)), u)
    torch.testing.assert_close(grid.irfft(grid.rfft(u.float())), u.float())


@every_grid
def test_parseval_needs_each_wavevector_as_often_as_the_full_spectrum_has_it(grid):
    u = noise(grid)
    assert float(grid.multiplicity.sum()) == grid.size
    weighted = (grid.rfft(u).abs().square() * grid.multiplicity).sum() / grid.size
    torch.testing.assert_close(weighted, u.square().sum())
    torch.testing.assert_close(weighted, torch.fft.fftn(u).abs().square().sum() / grid.size)


def test_precision_of_the_field_is_kept():
    grid = PeriodicGrid((8, 8))
    for dtype in (torch.float32, torch.float64):
        for symbol in (grid.laplacian, grid.derivative()):
            assert grid.apply(symbol, torch.ones(8, 8, dtype=dtype)).dtype == dtype


def test_a_grid_without_axes_carries_plain_numbers():
    grid, numbers = PeriodicGrid(()), torch.tensor([1.0, -2.0])
    assert (grid.size, grid.spectral_shape, grid.axes) == (1, (), ())
    assert grid.irfft(grid.rfft(numbers)).equal(numbers)
    assert grid.apply(grid.inverse_helmholtz, numbers).equal(numbers)
    assert grid.trace(grid.inverse_helmholtz) == 1


@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [
        ((4, 4, 4), None, "at most two"),
        ((1,), None, "whole number ≥ 2"),
        ((32, 0), None, "whole number ≥ 2"),
        ((32.5,), None, "whole number ≥ 2"),
        ((8, 8), (1.0,), "one length per axis"),
        ((8,), (0.0,), "finite number > 0"),
        ((8,), (math.nan,), "finite number > 0"),
        ((8,), ("wide",), "expected a number"),
    ],
)
def test_bad_grids_are_refused(shape, lengths, message):
    with pytest.raises(ValueError, match=message):
        PeriodicGrid(shape, lengths)


@pytest.mark.parametrize("shape", [(8, 4), (8,), (4, 8, 6)])
def test_fields_of_another_grid_are_refused(shape):
    grid = PeriodicGrid((4, 8))
    with pytest.raises(ValueError, match=r"last axes must be \(4, 8\)"):
        grid.apply(grid.laplacian, torch.zeros(shape))


# --- spectra without the symmetry of a real field


def half_spectrum(grid, dtype, *leading):
    """Complex normals, with no regard to û(−k) = û(k)*."""
    return torch.randn(*leading, *grid.spectral_shape, dtype=dtype, generator=torch.Generator().manual_seed(6))


def symmetric_part(grid, spectra):
    """The full spectrum of which a real field keeps this half: ½(û(k) + û(−k)*) on the columns that are their own mirror image."""
    n = grid.shape[-1]
    mirrored = spectra.conj()
    if len(grid.shape) == 2:
        mirrored = mirrored.flip(-2).roll(1, -2)
    full = torch.zeros(*spectra.shape[:-1], n, dtype=spectra.dtype)
    for column in range(grid.spectral_shape[-1]):
        own_mirror = column in (0, n - column)
        full[..., column] = 0.5 * (spectra[..., column] + mirrored[..., column]) if own_mirror else spectra[..., column]
        full[..., -column] = full[..., column] if own_mirror else mirrored[..., column]
    return full


@every_grid
def test_only_the_symmetric_part_of_a_spectrum_counts(grid):
    spectra = half_spectrum(grid, torch.complex128, 2)
    fields = grid.irfft(spectra)
    expected = torch.fft.ifftn(symmetric_part(grid, spectra), dim=grid.axes)
    assert expected.imag.abs().max() < 1e-12
    torch.testing.assert_close(fields, expected.real)
    torch.testing.assert_close(grid.irfft(grid.rfft(fields)), fields)
    assert (grid.rfft(fields) - spectra).abs().max() > 0.1


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128], ids=str)
@every_grid
def test_the_transform_axis_by_axis_is_the_same(grid, dtype):
    spectra = half_spectrum(grid, dtype, 3, 2)
    before = spectra.clone()
    torch.testing.assert_close(grid._irfft_by_axis(spectra), grid.irfft(spectra))
    assert spectra.equal(before)


@small_grid
def test_complex_normals_times_white_are_independent_unit_normals(grid):
    """Covariance between all pixels: the identity."""
    drawn = torch.randn(20_000, *grid.spectral_shape, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    fields = grid.irfft(torch.view_as_complex(drawn) * grid.white).flatten(1)
    covariance = fields.T @ fields / len(fields)
    assert (covariance - torch.eye(grid.size)).abs().max() < 0.045  # ± 0.007 off the diagonal, ± 0.01 on it
    assert float(covariance.diagonal().mean()) == pytest.approx(1, abs=0.015)
    assert float((fields * fields.roll(1, 1)).mean()) == pytest.approx(0, abs=0.015)
    assert float((fields**4).mean()) == pytest.approx(3, abs=0.15)


@small_grid
def test_what_a_field_shows_of_spectra_is_their_transform_there_and_back(grid):
    drawn = torch.randn(3, *grid.spectral_shape, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    spectra = torch.view_as_complex(drawn)
    shown = grid.hermitian_part(spectra)
    torch.testing.assert_close(shown, grid.rfft(grid.irfft(spectra)))
    torch.testing.assert_close(grid.hermitian_part(shown), shown)
    assert not torch.equal(spectra, shown)


SYSTEMS = [
    OrnsteinUhlenbeck(grid=PeriodicGrid((8, 8))),
    OrnsteinUhlenbeck(grid=PeriodicGrid((7,))),
    AllenCahn(grid=PeriodicGrid((8, 6)), advection=1.0),
    AllenCahn(grid=PeriodicGrid((8,))),
    NavierStokes(grid=PeriodicGrid((16, 16))),
    NavierStokes(grid=PeriodicGrid((15, 16)), nyquist=False),
    DoubleWell(),
]


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: f"{system.name} on {system.grid.shape}")
@pytest.mark.parametrize("every", [0.125, 0.1])
def test_the_next_field_depends_on_the_present_field_and_the_noise_alone(system, every):
    """Nothing that a state holds beside its field may reach a later field: else the field would not be the state that is kicked."""
    run = Trajectory(system, range(2), 0, every, torch.device("cpu"))
    state, noise = run.start(2.0)
    bare, twin = system.grid.rfft(system.grid.irfft(state)), noise.copy()
    step = system.stepper(every, run.device)
    for _ in range(3):
        state, bare = step(state, noise), step(bare, twin)
        torch.testing.assert_close(system.grid.irfft(bare), system.grid.irfft(state), atol=2e-5, rtol=2e-5)
