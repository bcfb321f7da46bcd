"""Our integrators beside those of other packages, on one core and in single precision (py-pde in double), all in one run.

the flow                    time per right-hand side against the FFTs that it must do, and against exponax (ETDRK4)
the local Allen-Cahn        error against seconds, ∂ₜu = κΔu + u − u³: ours by splitting (`systems.splitting`), exponax by ETDRK2 and
equation                    ETDRK4, py-pde by Euler's scheme with finite differences. The reference is one fine solution.
"""

import importlib.util
import math
import statistics
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.integrate import solve_ivp

from gfdt_tutorial.bench.race import Run, Runs, race
from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.systems.navier_stokes import NavierStokes
from gfdt_tutorial.systems.splitting import double_well_flow, split_steps
from gfdt_tutorial.systems.white_noise import WhiteNoise

if TYPE_CHECKING:
    from pde import ScalarField

KAPPA = 0.1  # a front is (8κ)^½ wide, 4.6 pixels of 32 × 32
TIME = 1.0
NEEDED = {"exponax": "exponax", "py-pde": "pde"}
TARGETS = (1e-2, 1e-3, 1e-4, 1e-5)
OURS = {2: (1, 2, 4, 8, 16, 32, 64), 4: (1, 2, 4, 8, 16)}  # order → steps per unit time
EXPONAX = {(2, 32): (4, 8, 16, 32, 64), (4, 32): (4, 8, 16, 32), (4, 64): (8, 16, 32)}  # (order, side) → steps per unit time
PY_PDE = {32: 16, 64: 64, 128: 256}  # side → steps per unit time, twice as many as the scheme needs in order to be stable

Point = tuple[float, float]  # relative error and seconds


def peers(members: int = 16, repeats: int = 15, sides: tuple[int, ...] = (256, 1024)) -> list[Row]:
    """The flow and the local Allen-Cahn equation beside exponax and py-pde, on one core.

    Raises:
        ValueError: a peer is not installed; the message says how to install it.
    """
    need(NEEDED)
    return [row for side in sides for row in flow(side, max(3, repeats * 256 // side // 2))] + work_precision(members, repeats)


def flow(side: int, repeats: int) -> list[Row]:
    """The flow on one grid: a right-hand side over its FFTs, and that of exponax over ours, in runs long enough to warm the cache."""
    steps = max(2, (1024 // side) ** 2)
    builders = {"ours": partial(our_flow, side, steps), "exponax": partial(exponax_flow, side, steps)}
    seconds, _ = race(builders, repeats)
    label = f"flow, {side} × {side}, single precision, one thread: "

    def over(slower: str, faster: str) -> float:
        return statistics.median(a / b for a, b in zip(seconds[slower], seconds[faster], strict=True))

    return [
        Row(label + "a right-hand side over its eight FFTs", over("ours", "its FFTs"), 1.4),
        Row("   milliseconds", 1e3 * statistics.median(seconds["ours"]) / (4 * steps), None, "ms"),
        Row(
            "   exponax, a right-hand side (five FFTs, dealiased) over ours (eight, skew-symmetric)",
            over("exponax", "ours"),
            1.0,
            at_least=True,
        ),
    ]


def our_flow(side: int, steps: int) -> Runs:
    """Some steps of integrating-factor RK4 under the letter's forcing, of one member; and the FFTs of as many right-hand sides."""
    system, cpu = NavierStokes(grid=PeriodicGrid((side, side))), torch.device("cpu")
    noise, advance = system.make_noise(range(1), 0, cpu), system.stepper(steps * system.step, cpu)
    state = system.initial(range(1), 0, cpu)
    field, five, three = system.field(state), state.expand(5, *state.shape).clone(), torch.zeros(3, 1, side, side)

    def ffts() -> np.ndarray:
        for _ in range(4 * steps):
            system.grid.irfft(five)
            system.grid.rfft(three)
        return field.numpy()

    return {"ours": lambda: system.field(advance(state, noise)).numpy(), "its FFTs": ffts}


def exponax_flow(side: int, steps: int) -> Runs:
    """As many steps of ETDRK4 of the vorticity equation, without forcing."""
    import exponax
    import jax

    stepper = exponax.stepper.NavierStokesVorticity(2, 2 * math.pi, side, 1 / side, diffusivity=1e-4, order=4)
    advance = jax.jit(exponax.repeat(stepper, steps))
    field = jax.numpy.asarray(refined(starts(1, 16), side))
    return {"exponax": lambda: np.asarray(advance(field))}


def work_precision(members: int, repeats: int) -> list[Row]:
    """The local Allen-Cahn equation: for each accuracy our seconds over those of the best peer, and the curves behind it."""
    start = starts(members, 32)
    few = start[:4]
    builders = {
        "ours": partial(our_splitting, start),
        "exponax": partial(exponax_etdrk, start),
        "py-pde": partial(py_pde_euler, few),
    }
    seconds, found = race(builders, repeats)
    exact = reference(few)
    points: dict[str, Point] = {}
    for name, fields in found.items():
        each = statistics.median(seconds[name]) / len(fields)
        points[name] = relative_error(fields[: len(exact)], exact), each
    rows = []
    for target in TARGETS:
        best = {package: seconds_for(points, package, target) for package in builders}
        peer = min(("exponax", "py-pde"), key=lambda package: best[package])
        who = f"the best peer, {peer}" if math.isfinite(best[peer]) else "the best peer, none of which reaches it"
        rows.append(Row(f"local Allen-Cahn, relative error {target:g}: our seconds over those of {who}", best["ours"] / best[peer], 1.0))
    for name, (error, each) in points.items():
        rows += [Row(f"   {name}: relative error", error), Row(f"   {name}: time per member", 1e3 * each, None, "ms")]
    return rows


def seconds_for(points: dict[str, Point], package: str, target: float) -> float:
    """The least time in which a package reaches an error, interpolated in logarithms along each of its curves; infinite if it never does.

    A curve is the points whose names agree up to the last comma, in the order of their steps.
    """
    curves: dict[str, list[Point]] = {}
    for name, point in points.items():
        if name.startswith(package):
            curves.setdefault(name.rpartition(",")[0], []).append(point)
    return min((_crossing(curve, target) for curve in curves.values()), default=math.inf)


def _crossing(curve: list[Point], target: float) -> float:
    previous: Point | None = None
    for error, seconds in curve:
        if error <= target:
            if previous is None or not math.isfinite(previous[0]):
                return seconds
            part = math.log(previous[0] / target) / math.log(previous[0] / error)
            return math.exp((1 - part) * math.log(previous[1]) + part * math.log(seconds))
        previous = error, seconds
    return math.inf


def need(packages: dict[str, str]) -> None:
    """Check that packages are installed: {name: its module}.

    Raises:
        ValueError: one is missing.
    """
    missing = [name for name, module in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise ValueError(f"{' and '.join(missing)} not found, but measured by this group; try: python -m pip install -e '.[peers]'")


def starts(members: int, side: int) -> np.ndarray:
    """(member, side, side), float32: random waves of |k| ≤ 4 with standard deviation 0.7, the same on every grid that resolves them."""
    grid = PeriodicGrid((16, 16))
    spectra = WhiteNoise(grid, range(members), 0)() * (grid.white * (grid.k_squared <= 16)).float()
    fields = grid.irfft(spectra)
    return refined((0.7 * fields / fields.std((1, 2), correction=0, keepdim=True)).numpy(), side)


def refined(fields: np.ndarray, side: int) -> np.ndarray:
    """Band-limited fields on a finer grid, which contains the old points."""
    old, half = fields.shape[-1], fields.shape[-1] // 2
    spectra = np.zeros((len(fields), side, side // 2 + 1), complex)
    coarse = np.fft.rfft2(fields)
    spectra[:, :half, :half], spectra[:, -half + 1 :, :half] = coarse[:, :half, :half], coarse[:, -half + 1 :, :half]
    return (np.fft.irfft2(spectra) * (side / old) ** 2).astype(np.float32)


def reference(start: np.ndarray, finer: int = 2) -> np.ndarray:
    """The solution at TIME on the points of `start`: spectral on a finer grid, with DOP853 (Dormand-Prince of order 8) to eleven digits."""
    side = finer * start.shape[-1]
    k = np.fft.fftfreq(side, 1 / side)
    k_squared = k[:, None] ** 2 + np.fft.rfftfreq(side, 1 / side) ** 2

    def drift(_: float, values: np.ndarray) -> np.ndarray:
        u = values.reshape(-1, side, side)
        return (np.fft.irfft2(-KAPPA * k_squared * np.fft.rfft2(u)) + u - u**3).ravel()

    fields = refined(start, side).astype(float)
    end = solve_ivp(drift, (0, TIME), fields.ravel(), "DOP853", t_eval=[TIME], rtol=1e-10, atol=1e-11).y[:, -1]
    return end.reshape(fields.shape)[:, ::finer, ::finer]


def relative_error(found: np.ndarray, exact: np.ndarray) -> float:
    """Relative L2 on the points of `exact`; `found` may be on a finer grid."""
    stride = found.shape[-1] // exact.shape[-1]
    return float(np.linalg.norm(found[:, ::stride, ::stride] - exact) / np.linalg.norm(exact))


def our_splitting(start: np.ndarray) -> Runs:
    """Strang's splitting, and its extrapolation to order four."""
    grid, cpu, fields = PeriodicGrid((start.shape[1], start.shape[2])), torch.device("cpu"), torch.from_numpy(start)

    def run(order: int, steps: int) -> Run:
        advance = split_steps(grid, KAPPA * grid.laplacian, double_well_flow, TIME, TIME / steps, cpu, order=order)
        return lambda: grid.irfft(advance(grid.rfft(fields), None)).numpy()

    return {f"ours, order {order}, h = 1/{steps}": run(order, steps) for order, several in OURS.items() for steps in several}


def exponax_etdrk(start: np.ndarray) -> Runs:
    """exponax as in its guide: jit, a scan over steps, vmap over members; without dealiasing, which costs it accuracy here."""
    import exponax
    import jax

    def run(order: int, side: int, steps: int) -> Run:
        options = {"diffusivity": KAPPA, "dealiasing_fraction": 1.0, "order": order}
        stepper = exponax.stepper.reaction.AllenCahn(2, 2 * math.pi, side, TIME / steps, **options)
        advance = jax.jit(jax.vmap(exponax.repeat(stepper, steps)))
        fields = jax.numpy.asarray(refined(start, side)[:, None])
        return lambda: np.asarray(advance(fields))[:, 0]

    cases = [(order, side, steps) for (order, side), several in EXPONAX.items() for steps in several]
    return {f"exponax, ETDRK{order}, {side} × {side}, h = 1/{steps}": run(order, side, steps) for order, side, steps in cases}


def py_pde_euler(start: np.ndarray, backend: str = "numba", cases: dict[int, int] = PY_PDE) -> Runs:
    """py-pde, one member after the other by the same compiled stepper."""
    from pde import AllenCahnPDE
    from pde.solvers import EulerSolver

    def run(side: int, steps: int) -> Run:
        fields = _py_pde_fields(refined(start, side))
        advance = EulerSolver(AllenCahnPDE(KAPPA), backend=backend).make_stepper(fields[0], TIME / steps)

        def once() -> np.ndarray:
            states = [field.copy() for field in fields]
            for state in states:
                advance(state, 0.0, TIME)
            return np.stack([state.data for state in states])

        return once

    return {f"py-pde, Euler, {side} × {side}, h = 1/{steps}": run(side, steps) for side, steps in cases.items()}


def _py_pde_fields(start: np.ndarray) -> "list[ScalarField]":
    from pde import CartesianGrid, ScalarField

    grid = CartesianGrid([[0, 2 * math.pi]] * 2, start.shape[-1], periodic=True)
    return [ScalarField(grid, field) for field in start]
