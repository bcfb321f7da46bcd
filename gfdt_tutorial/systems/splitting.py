"""Splitting for local equations: diffusion and noise exact in Fourier space, the reaction exact at each pixel.

For ∂ₜu = L u + f(u) + η with a pointwise reaction f whose flow Φ_h is known in closed form, and white-in-time noise η of any spectrum,
Strang's splitting composes exact flows, of which one takes half the step on either side:

    S_h = E_{h/2} Φ_h E_{h/2},        E_h: û ← e^{Lh} û + (∫₀ʰ e^{2 Re L t} dt D)^½ n̂

It is of order two (with noise, of weak order two), at two FFTs a step; neighbouring half steps of E are one. Without noise the step is
symmetric in time, so that its error has even powers of h only, and (4 S_{h/2}² − S_h)/3 is of order four. The modified Allen-Cahn
equation of the letter smooths its reaction, Σ[u(1 − u²)], which is not pointwise: it has a scheme of its own, `allen_cahn.two_stages`.

    Strang, SIAM J. Numer. Anal. 5, 506, 1968;  Bréhier and Goudenège, Discrete Contin. Dyn. Syst. B 24, 4169, 2019 (with noise)
"""

import math
from collections.abc import Callable

import torch

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid, cast, real_pairs
from gfdt_tutorial.systems.base import Stepper

Flow = Callable[[torch.Tensor], torch.Tensor]


def double_well_flow(h: float, strength: float = 1.0) -> Flow:
    """Φ_h of u′ = a u(1 − u²):  u ← u e^{ah} (1 + u² (e^{2ah} − 1))^(−½)."""
    growth, rest = math.exp(strength * h), math.expm1(2 * strength * h)
    return lambda u: torch.rsqrt_((u * u).mul_(rest).add_(1)).mul_(u).mul_(growth)


def split_steps(
    grid: PeriodicGrid,
    rates: torch.Tensor,
    reaction: Callable[[float], Flow],
    every: float,
    dt: float,
    device: torch.device,
    *,
    noise: torch.Tensor | None = None,
    order: int = 2,
) -> Stepper:
    """A step of spectra over `every` time units, in equal steps h ≤ dt; for `System.stepper`.

    Args:
        rates: L, (*spectral_shape,), real or complex.
        reaction: h → Φ_h, a function of fields (..., *shape), such as `double_well_flow`.
        noise: D, (*spectral_shape,), the covariance of the noise between pixels per unit time, drawn by the `WhiteNoise` that the step is
            given; None for none, and the second argument of the step may then be None too.
        order: 2; or 4, by extrapolation, without noise.

    Raises:
        ValueError: another order, or order 4 with noise.

    >>> grid, cpu = PeriodicGrid((32, 32)), torch.device("cpu")
    >>> step = split_steps(grid, 0.1 * grid.laplacian, double_well_flow, 1.0, 0.25, cpu, order=4)
    >>> field = grid.irfft(step(grid.rfft(torch.full((1, 32, 32), 0.5)), None))
    >>> abs(float(field[0, 0, 0]) - double_well_flow(1.0)(torch.tensor(0.5)).item()) < 1e-6
    True
    """
    if order not in (2, 4) or (order == 4 and noise is not None):
        raise ValueError(f"order is {order!r}{' with noise' if noise is not None else ''}; expected 2, or 4 without noise")
    steps = math.ceil(checks.positive("every", every) / checks.positive("dt", dt) - 1e-9)
    once = _strang(grid, rates, reaction, every / steps, steps, device, noise)
    if order == 2:
        return once
    twice = _strang(grid, rates, reaction, every / (2 * steps), 2 * steps, device, None)
    return lambda spectra, nothing: torch.lerp(once(spectra, nothing), twice(spectra, nothing), 4 / 3)


def _strang(
    grid: PeriodicGrid, rates: torch.Tensor, reaction: Callable[[float], Flow], h: float, steps: int, device: torch.device,
    noise: torch.Tensor | None,
) -> Stepper:  # fmt: skip
    react, like = reaction(h), torch.zeros((), dtype=torch.complex64, device=device)

    def linear(lapse: float) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The factor of E over a lapse of time, and the amplitude of its noise."""
        decay = cast(torch.exp(lapse * rates), like)
        if noise is None:
            return decay, None
        twice = 2 * rates.real
        grown = torch.where(twice == 0, lapse, torch.expm1(lapse * twice) / torch.where(twice == 0, 1.0, twice))
        return decay, real_pairs((grown * noise).sqrt() * grid.white, like)

    half, whole = linear(0.5 * h), linear(h)

    def move(spectra: torch.Tensor, lapse: tuple[torch.Tensor, torch.Tensor | None], normals: Callable[[], torch.Tensor]) -> torch.Tensor:
        decay, spread = lapse
        moved = spectra * decay
        if spread is not None:
            torch.view_as_real(moved).addcmul_(torch.view_as_real(normals()), spread)
        return moved

    def step(spectra: torch.Tensor, normals: Callable[[], torch.Tensor]) -> torch.Tensor:
        spectra = move(spectra, half, normals)
        for number in range(1, steps + 1):
            spectra = grid.rfft(react(grid.irfft(spectra)))
            spectra = move(spectra, whole if number < steps else half, normals)
        return spectra

    return step
