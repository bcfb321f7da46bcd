"""A triad for El Niño: two variables that oscillate, driven by bursts of wind whose strength depends on the first.

u̇₁ = −d_u u₁ − ω u₂ + τ + σ₁ ξ₁,
u̇₂ = −d_u u₂ + ω u₁ + σ₂ ξ₂,
τ̇  = −d_τ τ + σ₃ (tanh u₁ + 1) ξ₃

u₁ stands for the temperature of the eastern Pacific, u₂ for that of the western one or for the depth of its thermocline, and τ for wind
bursts, which warm water makes stronger. The drift is linear, so that means answer a kick as in a linear system; the noise depends on the
state, and the density is far from Gaussian.

Source: Giorgini, Bischoff and Souza, arXiv:2509.19660, Table III.
"""

import torch

from gfdt_tutorial.systems.sde import SDE

VARIABLES = ("u1", "u2", "tau")


def enso_triad(
    *, d_u: float = 0.2, omega: float = 0.4, d_tau: float = 2.0, sigma_1: float = 0.3, sigma_2: float = 0.3, sigma_3: float = 1.5,
    dt: float = 0.02,
) -> SDE:  # fmt: skip
    """The triad, with the unlike variables u1, u2 and tau. It oscillates with a period of 2π/ω, about 16 units of time.

    >>> import gfdt_tutorial as gfdt
    >>> gfdt.simulate(enso_triad(), members=4, duration=20.0).components
    ('u1', 'u2', 'tau')
    """
    parameters = {"d_u": d_u, "omega": omega, "d_tau": d_tau, "sigma_1": sigma_1, "sigma_2": sigma_2, "sigma_3": sigma_3}
    return SDE(
        _drift, _noise, parameters, components=VARIABLES, observed=VARIABLES, dt=dt, name="enso-triad", label="ENSO triad", spinup=25.0,
        lags=10.0, every=0.1,
    )  # fmt: skip


def _drift(x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    u1, u2, tau = x
    return torch.stack([-p["d_u"] * u1 - p["omega"] * u2 + tau, -p["d_u"] * u2 + p["omega"] * u1, -p["d_tau"] * tau])


def _noise(x: torch.Tensor, p: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack([p["sigma_1"], p["sigma_2"], p["sigma_3"] * (torch.tanh(x[0]) + 1)])
