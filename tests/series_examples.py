"""Series that several tests need: fields and numbers with a known decorrelation time, and how to spoil them."""

import math

import numpy as np
import pytest
import scipy.fft
import scipy.optimize
import torch

from gfdt_tutorial import OrnsteinUhlenbeck, PeriodicGrid, TimeSeries

RING = OrnsteinUhlenbeck(grid=PeriodicGrid((16,)), lam=0.2)


SHAPES = {"t": (), "mt": (), "tx": (16,), "mtx": (16,), "tyx": (6, 8), "mtyx": (6, 8)}


def noise(axes="mtx", steps=600, memory=0.8, seed=0, members=8):
    """A field of independent pixels, each an autoregressive series with a known decorrelation time, in the shape of `axes`."""
    members = members if "m" in axes else 1
    z = np.random.default_rng(seed).normal(size=(members, steps, *SHAPES[axes]))
    u = np.empty_like(z)
    u[:, 0] = z[:, 0]
    for i in range(1, steps):
        u[:, i] = memory * u[:, i - 1] + math.sqrt(1 - memory**2) * z[:, i]
    return u if "m" in axes else u[0]


def series(axes="mtx", change=lambda u: u, **options):
    u = change(noise(axes, **options))
    return TimeSeries(u, np.arange(u.shape[axes.index("t")], dtype=float), axes)


class Work:
    """Counts, from its creation on, the values that Fourier transforms yield and the evaluations of a function that is minimised."""

    def __init__(self, monkeypatch):
        self.transformed, self.largest, self.evaluations = 0, 0, 0
        for module, names in ((scipy.fft, ("rfft", "dct")), (torch.fft, ("fft", "ifft"))):
            for name in names:
                monkeypatch.setattr(module, name, self._counted(getattr(module, name)))
        minimise = scipy.optimize.minimize_scalar
        monkeypatch.setattr(scipy.optimize, "minimize_scalar", lambda *args, **options: self._minimised(minimise(*args, **options)))

    def _counted(self, transform):
        def counted(*args, **options):
            found = transform(*args, **options)
            size = int(np.prod(found.shape))
            self.transformed, self.largest = self.transformed + size, max(self.largest, size)
            return found

        return counted

    def _minimised(self, found):
        self.evaluations += found.nfev
        return found


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def drifting(u):
    return u + np.linspace(0, 3, u.shape[1])[:, None]


def uneven(u):
    return u * (1 + 0.5 * np.cos(2 * np.pi * np.arange(16) / 16))
