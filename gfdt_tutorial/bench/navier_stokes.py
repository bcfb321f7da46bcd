"""The flow: accuracy of its responses, whether the hidden forcing matters, its statistics and its step."""

import math
import time
from dataclasses import replace

import torch

from gfdt_tutorial.bench.rows import MEMBERS, Row, batch, mean_and_scatter, ratio
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.core.memory import peak_memory_mb
from gfdt_tutorial.core.numerics import signed_root
from gfdt_tutorial.core.random_streams import Stream, generator
from gfdt_tutorial.core.spectra import mode_covariance, shell_average
from gfdt_tutorial.experiments.comparison import compare_methods
from gfdt_tutorial.experiments.pipeline import Comparison
from gfdt_tutorial.experiments.shipped import load_shipped, ship, ship_table
from gfdt_tutorial.responses.errors import compare, wave_errors
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.budgets import budget
from gfdt_tutorial.scores.diagnostics import kurtosis
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.systems.flow_forcing import WaveForcing
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.simulate import simulate

# wavenumbers that the Gaussian response gets right, those next to the end of the forcing, and those beyond
BANDS = {"low": (0.0, 5.0), "edge": (8.0, 10.6), "high": (10.6, 23.0)}
WITH_CONTROL = "_controlled"  # in a Comparison: with the Gaussian part as control variate
STANDARD = "python -m gfdt_tutorial bench --only navier-stokes-standard"


def quick(seeds=(0, 1, 2)) -> list[Row]:
    """The flow from nothing, preset quick: responses in each form against the shipped truth, mean and scatter over the seeds."""
    found = [compare_methods(NavierStokes(), preset="quick", seed=seed) for seed in seeds]
    over = [one.errors["generative"].quoted["l2"] / one.errors["gaussian"].quoted["l2"] for one in found]
    return [
        *_accuracy("quick", found, (None, None)),
        *mean_and_scatter("Navier-Stokes, quick, generative over Gaussian L2", over, 0.75),
        Row("Navier-Stokes, quick, data, training, response, own twins", max(sum(one.seconds.values()) for one in found), 180, "s"),
        Row("Navier-Stokes, quick, peak memory of this process", peak_memory_mb() or math.nan, 1200, "MB"),
    ]


def standard(seeds=(0, 1, 2, 3, 4)) -> list[Row]:
    """The same with the preset standard, and beside it a score that is given the hidden forcing; ships what lesson 05 shows. Two hours."""
    return report([compare_methods(NavierStokes(), preset="standard", seed=seed, conditioned=True) for seed in seeds], seeds)


def report(found: list[Comparison], seeds) -> list[Row]:
    """Rows of `standard`; and the assets: the conditioned response of the first seed, with control variate, and a table of all."""
    ship("navier-stokes-conditioned", found[0].responses["conditioned" + WITH_CONTROL], command=STANDARD)
    ship_table(
        "navier-stokes-standard", [row for one, seed in zip(found, seeds, strict=True) for row in _table(one, seed)], command=STANDARD
    )
    gains = torch.stack([_squared(one, "generative") - _squared(one, "conditioned") for one in found])
    edges = [[_numbers(one, method + WITH_CONTROL)["edge"] for one in found] for method in ("generative", "conditioned")]
    edge = torch.tensor(edges[0]).square() - torch.tensor(edges[1]).square()
    whole = max(sum(s for stage, s in one.seconds.items() if stage != "fit_conditioned") for one in found)
    return [
        *_accuracy("standard", found, (0.08, 0.03)),
        *_accuracy("standard", found, (None, None), "conditioned"),
        Row("Navier-Stokes, standard, squared L2 that the hidden forcing takes off, with control variate", float(gains.mean())),
        Row("   its standard error between seeds", float(gains.std()) / len(gains) ** 0.5),
        Row("   the same at 8 < |k| ≤ 10.6, lag 0.5, squared error a wavevector", float(edge.mean())),
        Row("   its standard error between seeds", float(edge.std()) / len(edge) ** 0.5),
        Row("Navier-Stokes, standard, whole pipeline without the conditioned score", whole, 900, "s"),
    ]


def _squared(one: Comparison, method: str) -> torch.Tensor:
    return one.errors[method + WITH_CONTROL].l2_sq_unbiased[1:].mean()


def _table(one: Comparison, seed: int) -> list[dict]:
    named = {key: {"score": response.method, "form": response.form} for key, response in one.responses.items()}
    return [{"seed": seed} | named[key] | _numbers(one, key) for key in one.errors]


def _accuracy(preset: str, found: list[Comparison], reach: tuple, method: str = "generative") -> list[Row]:
    label = f"Navier-Stokes, {preset}, {method}"
    rows = []
    for key in (method, method + "_normalised", method + WITH_CONTROL, *(["gaussian"] if method == "generative" else [])):
        what = f"Navier-Stokes, {preset}, Gaussian" if key == "gaussian" else f"{label}, {found[0].responses[key].form}"
        bounds = reach if key == method else (None, None)
        for name, k, bound in zip(("L2", "L∞"), ("l2", "linf"), bounds, strict=True):
            rows += mean_and_scatter(f"{what}: quoted {name}", [one.errors[key].quoted[k] for one in found], bound)
        reached = 0.03 if key == "generative" and preset == "standard" else None
        rows += mean_and_scatter(f"{what}: error at 0 < |k| ≤ 5, lag 0.5", [_numbers(one, key)["low"] for one in found], reached)
    return rows


def _numbers(one: Comparison, key: str) -> dict[str, float]:
    quoted, answer = one.errors[key].quoted, one.responses[key]
    found = {name: quoted[name] for name in ("l2", "l2_se_truth", "linf")}
    found |= {name: band_error(answer, one.truth, *band) for name, band in BANDS.items()}
    return {name: float(f"{value:.3g}") for name, value in found.items()}


def band_error(answer: Response, truth: Response, lowest: float, highest: float, lag: float = 0.5) -> float:
    """Root mean square of R̂_k − R_k over lowest < |k| ≤ highest at one lag, freed of the truth's noise."""
    grid, row = answer.grid, int((answer.times - lag).abs().argmin())
    chosen = ((grid.k_squared <= highest**2) & (grid.k_squared > lowest**2)) * grid.multiplicity
    return signed_root(float((wave_errors(answer, truth)[row] * chosen).sum() / chosen.sum()))


def frozen(preset: str = "quick") -> list[Row]:
    """What the letter's figure ran: phases that stand still, no Nyquist wavenumber; plain errors against 128 pairs, and freed ones.

    Twins are kicked again and again over the 40 time units from the freezing on that the data cover: the flow goes on to settle.
    """
    system, size = NavierStokes(frozen=True, nyquist=False), NavierStokes().ensemble(preset)
    found = compare_methods(system, preset=preset, conditioned=True)
    options = {"every": size.every, "amplitude": size.amplitude, "restarts": 8, "symmetries": system.symmetries}
    letter, truth = (perturb(system, lags=size.lags, pairs=pairs, seed=77 + pairs, **options) for pairs in (128, 1024))
    rows = []
    for key in ("gaussian", "generative", "generative" + WITH_CONTROL, "conditioned", "conditioned" + WITH_CONTROL):
        reach = (0.15, 0.045) if key == "generative" else (None, None)
        answer, label = found.responses[key], "Navier-Stokes, frozen, " + key.replace(WITH_CONTROL, ", controlled")
        rows.append(Row(f"{label}: plain L2, mean over lags, 128 pairs", float(compare(answer, letter).l2[1:].mean())))
        freed = compare(answer, truth).quoted
        rows += [Row(f"{label}: quoted {n}, 1024 pairs", freed[k], b) for n, k, b in zip(("L2", "L∞"), ("l2", "linf"), reach, strict=True)]
    return rows


NETWORKS = {
    "7 × 7, 5 × 5, 5 × 5, gated, σ = 0.05 (preset quick)": {},
    "quiet and lively places weighted evenly": {"reach": 2.0},
    "inputs w and Q^½ w alone": {"powers": (0.0, 0.5)},
    "5 × 5 alone: sees 2 pixels far, not 7": {"kernels": (5, 1, 1)},
    "SiLU instead of gates": {"gated": False},
    "σ = 0.2": {"level": 0.2},
}


def networks() -> list[Row]:
    """The table of lesson 05, which is written to the assets; about ten minutes."""
    system, table = NavierStokes(), []
    fitted, use = (
        simulate(system, members=64, spinup=None, duration=60.0, every=2.0, seed=1000),
        simulate(system, members=96, spinup=None, duration=48.0, every=1 / 8, seed=0),
    )
    truth = load_shipped("navier-stokes-truth")
    options = {"lags": 4.0, "symmetries": system.symmetries, "thin": 4, "resamples": 2}
    for what, change in NETWORKS.items():
        began = time.perf_counter()
        score = fit_score(fitted, budget=replace(budget("quick", kind="intermittent"), **change))
        row = {"what": what, "seconds": time.perf_counter() - began}
        for name, form in (("raw", "raw"), ("control", "controlled")):
            quoted = compare(respond(use, score, form=form, **options), truth).quoted
            row |= {f"l2_{name}": quoted["l2"], f"linf_{name}": quoted["linf"]}
        table.append({name: value if isinstance(value, str) else float(f"{value:.3g}") for name, value in row.items()})
    ship_table("navier-stokes-networks", table, command="python -m gfdt_tutorial bench --only navier-stokes-networks")
    return [Row(f"{row['what']}: {key}", row[key]) for row in table for key in ("l2_raw", "l2_control", "linf_control", "seconds")]


def flow_statistics(members: int = 64, duration: float = 100.0) -> list[Row]:
    """Moments and spectrum after 200 time units; and what a step of 1/32 changes against one of 1/128. Five minutes."""
    system = NavierStokes()
    u = simulate(system, members=members, spinup=200.0, duration=duration, every=2.0, seed=0).u
    k, spectrum = _shells(system, u)
    rows = [Row("Navier-Stokes: standard deviation", float(u.std())), Row("Navier-Stokes: kurtosis", kurtosis(u))]
    rows += [Row(f"Navier-Stokes: C_k, shell {int(n)}", float(value)) for n, value in zip(k, spectrum, strict=True)]
    return rows + _steps()


FINER = 4  # of the two steps compared


class _SameWalk(WaveForcing):
    """Forcing for a step FINER times as long, whose phases take the very walk that they take under the short one."""

    def advance(self, lapse: float) -> torch.Tensor:
        for _ in range(FINER):
            super().advance(lapse / FINER)
        return self.spectra


class _SameForcing(NavierStokes):
    """The flow with long steps, under the very forcing of the flow with short ones, so that less of the difference is sampling."""

    def make_noise(self, members: range, seed: int, device: torch.device | str) -> WaveForcing:
        return _SameWalk(self.grid, members, seed, amplitude=self.forcing, cutoff=self.highest_forced, device=device)


def _steps(members: int = MEMBERS, duration: float = 40.0, pairs: int = 1024) -> list[Row]:
    """What a step of 1/32 changes against one of 1/128."""
    both = [_SameForcing(dt=1 / 32), NavierStokes(dt=1 / 32 / FINER)]
    runs = [simulate(each, members=members, spinup=None, duration=duration, every=1.0, seed=1).u for each in both]
    spectra = torch.stack([torch.stack([_shells(each, one[None])[1][2:] for one in u]) for each, u in zip(both, runs, strict=True)])
    ratio, without = _ratio(spectra.sum(1)), _ratio(spectra.sum(1, keepdim=True) - spectra)
    worst = int((ratio - 1).abs().argmax())
    twins = [perturb(each, lags=0.25, pairs=pairs, seed=5, every=0.25, amplitude=1 / 64, spinup=20.0, restarts=4) for each in both]
    label = "Navier-Stokes, dt = 1/32 against 1/128: "
    return [
        Row(label + "fields at the end, rms of the difference over rms", float((runs[0] - runs[1])[:, -1].norm() / runs[1][:, -1].norm())),
        Row(label + "C_k by shell, |k| ≥ 2, ratio from 1", float((ratio - 1).abs().max()), 0.05),
        Row(label + f"its standard error in the worst shell, |k| = {worst + 2}", float(_jackknife(without)[worst])),
        Row(label + "R at lag 1/4, L2 freed of the noise of both", _apart(*twins), 0.01),
    ]


def _ratio(spectra: torch.Tensor) -> torch.Tensor:
    return spectra[0] / spectra[1]


def _jackknife(without: torch.Tensor) -> torch.Tensor:
    """Standard error from estimates without one member, (member, ...)."""
    return ((len(without) - 1) * without.var(0, correction=0)).sqrt()


def _shells(system: NavierStokes, u: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return shell_average(system.grid, mode_covariance(system.grid, u))


def _apart(one: Response, other: Response) -> float:
    """L2 distance of two noisy truths at their last lag, freed of the noise of both by their halves."""
    difference = one.halves[:, -1].double() - other.halves[:, -1].double()
    return signed_root(float((difference[0] * difference[1]).sum()))


def step(sides=(32, 64, 128, 256), repeats: int = 15, intervals: int = 4) -> list[Row]:
    """A step over 32 real FFTs and N² normals, one thread."""
    return [
        Row(f"Navier-Stokes step over its floor, {n} × {n}, batch {batch(n)}, one thread", _floor_ratio(n, repeats, intervals), 1.5)
        for n in sides
    ]


def _floor_ratio(side: int, repeats: int, intervals: int) -> float:
    system, members, cpu = NavierStokes(grid=PeriodicGrid((side, side))), batch(side), torch.device("cpu")
    grid = system.grid
    noise, advance = system.make_noise(range(members), 0, cpu), system.stepper(intervals * system.step, cpu)
    state = system.initial(range(members), 0, cpu)
    fields, normals, rng = grid.irfft(state), torch.empty(members, *grid.shape), generator(0, Stream.BENCH)

    def floor():
        for _ in range(intervals):
            for _ in range(20):
                torch.fft.irfft2(state)
            for _ in range(12):
                torch.fft.rfft2(fields)
            normals.normal_(generator=rng)

    return ratio(lambda: advance(state, noise), floor, repeats)
