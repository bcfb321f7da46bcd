"""Our integrator beside those of other packages, for ∂ₜu = κΔu + u − u³, the local Allen-Cahn equation.

Each runs in a process of its own on the same core, after it was compiled, and they are timed in turn. All take the same step: ours is a
two-stage scheme with exact diffusion, exponax uses ETDRK2, py-pde Euler's scheme with finite differences. The reference is one fine
solution.
"""

import importlib.util
import math
import multiprocessing
import os
import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.integrate import solve_ivp

from gfdt_tutorial.bench.rows import MEMBERS, Row, elapsed
from gfdt_tutorial.core.grid import PeriodicGrid
from gfdt_tutorial.systems.allen_cahn import two_stages
from gfdt_tutorial.systems.white_noise import WhiteNoise

if TYPE_CHECKING:
    from pde import ScalarField

KAPPA = 0.1  # a front is (8κ)^½ wide, 4.6 pixels of 32 × 32
STEP = 1 / 32
TIME = 1.0
NOISE = 4e-3**0.5
NEEDED = {"exponax": "exponax", "py-pde": "pde"}

Run = Callable[[], np.ndarray]  # from the start to TIME: (member, y, x)


def speed(members: int = MEMBERS, side: int = 32, repeats: int = 9, fine: int = 128) -> list[Row]:
    """Our integrator beside exponax and py-pde: member-steps per second on one core, and errors at t = 1.

    Raises:
        ValueError: a peer is not installed; the message says how to install it.
    """
    need(NEEDED)
    start = starts(members, side)
    few = start[:4]
    contestants = {
        "ours": partial(ours, start),
        "ours with noise": partial(ours, start, epsilon=NOISE),
        "exponax": partial(exponax_etdrk2, start),
        "exponax, all waves": partial(exponax_etdrk2, start, kept=1.0),
        "py-pde": partial(py_pde_euler, start),
        "py-pde, NumPy": partial(py_pde_euler, few, backend="numpy"),
        "py-pde, fine": partial(py_pde_euler, refined(few, fine), step=STEP * (side / fine) ** 2),
    }
    seconds, found = race(contestants, repeats)
    seconds["py-pde, solve"] = race({"solve": partial(py_pde_solve, few[:1])}, 1)[0]["solve"] * repeats  # slow: one run suffices
    sizes = {"py-pde, NumPy": len(few), "py-pde, solve": 1, "py-pde, fine": len(few)}

    def over(slower: str, faster: str = "ours") -> float:
        each = zip(seconds[slower], seconds[faster], strict=True)
        return statistics.median(a / b for a, b in each) * sizes.get(faster, members) / sizes.get(slower, members)

    exact = reference(few)
    errors = {name: relative_error(fields[: len(exact)], exact[: len(fields)]) for name, fields in found.items()}
    label = f"member-steps per second, one core, {members} × {side} × {side}: "
    return [
        Row(label + "ours over exponax", over("exponax"), 1.0, at_least=True),
        Row("   ours with noise over exponax without", over("exponax", "ours with noise")),
        Row(label + "ours over py-pde", over("py-pde"), 40, at_least=True),
        Row("   over py-pde with its NumPy backend", over("py-pde, NumPy")),
        Row(f"   over py-pde solving {round(TIME / STEP)} steps per member, compiling each time", over("py-pde, solve")),
        Row(f"relative error at t = 1, h = 1/{round(1 / STEP)}: ours", errors["ours"]),
        Row("   exponax", errors["exponax"]),
        Row("   exponax without dealiasing", errors["exponax, all waves"]),
        Row("   py-pde", errors["py-pde"]),
        Row(f"   py-pde on {fine} × {fine}, h = 1/{round((fine / side) ** 2 / STEP)}", errors["py-pde, fine"]),
        Row("   its time per member over ours", over("py-pde, fine")),
    ]


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


def ours(start: np.ndarray, epsilon: float = 0.0) -> Run:
    """The stepper of AllenCahn, with Σ = 1."""
    grid, cpu = PeriodicGrid((start.shape[1], start.shape[2])), torch.device("cpu")
    white = torch.ones(grid.spectral_shape)
    advance = two_stages(grid, KAPPA * grid.laplacian, TIME, STEP, cpu, alpha=1.0, epsilon=epsilon, smoothing=white)
    fields, noise = torch.from_numpy(start), WhiteNoise(grid, range(len(start)), 0)
    return lambda: grid.irfft(advance(grid.rfft(fields), noise)).numpy()


def exponax_etdrk2(start: np.ndarray, kept: float = 0.5) -> Run:
    """exponax as in its guide: jit, a scan over steps, vmap over members; by default u³ keeps the lower half of the wavenumbers."""
    import exponax
    import jax

    options = {"diffusivity": KAPPA, "dealiasing_fraction": kept}
    stepper = exponax.stepper.reaction.AllenCahn(2, 2 * math.pi, start.shape[-1], STEP, **options)
    advance = jax.jit(jax.vmap(exponax.repeat(stepper, round(TIME / STEP))))
    fields = jax.numpy.asarray(start[:, None])
    return lambda: np.asarray(advance(fields))[:, 0]


def py_pde_euler(start: np.ndarray, backend: str = "numba", step: float = STEP) -> Run:
    """py-pde, one member after the other by the same stepper."""
    from pde import AllenCahnPDE
    from pde.solvers import EulerSolver

    fields = _py_pde_fields(start)
    advance = EulerSolver(AllenCahnPDE(KAPPA), backend=backend).make_stepper(fields[0], step)

    def run() -> np.ndarray:
        states = [field.copy() for field in fields]
        for state in states:
            advance(state, 0.0, TIME)
        return np.stack([state.data for state in states])

    return run


def py_pde_solve(start: np.ndarray) -> Run:
    """py-pde as in its guide."""
    from pde import AllenCahnPDE

    def solved(field: "ScalarField") -> np.ndarray:
        return AllenCahnPDE(KAPPA).solve(field, t_range=TIME, dt=STEP, solver="euler", tracker=None).data

    return lambda: np.stack([solved(field) for field in _py_pde_fields(start)])


def _py_pde_fields(start: np.ndarray) -> "list[ScalarField]":
    from pde import CartesianGrid, ScalarField

    grid = CartesianGrid([[0, 2 * math.pi]] * 2, start.shape[-1], periodic=True)
    return [ScalarField(grid, field) for field in start]


def race(contestants: Mapping[str, Callable[[], Run]], repeats: int) -> tuple[dict[str, list[float]], dict[str, np.ndarray]]:
    """Time runs in turn, each in a process of its own.

    Args:
        contestants: name → function that builds the run.

    Returns:
        The seconds of each run, and its final fields.
    """
    with ExitStack() as stack:
        pipes: dict[str, Connection] = {}
        found: dict[str, np.ndarray] = {}
        for name, build in contestants.items():
            pipes[name] = stack.enter_context(_process(build))
            found[name] = pipes[name].recv()
        seconds: dict[str, list[float]] = {name: [] for name in pipes}
        for _ in range(repeats):
            for name, pipe in pipes.items():
                pipe.send(True)
                seconds[name].append(pipe.recv())
    return seconds, found


@contextmanager
def _process(build: Callable[[], Run]) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_serve, args=(its, build), daemon=True)
    process.start()
    its.close()
    try:
        yield mine
    finally:
        mine.close()
        process.join()


def _serve(pipe: Connection, build: Callable[[], Run]) -> None:
    """Send the final fields of a run; then run again and send its seconds, as often as asked."""
    _one_core()
    run = build()
    pipe.send(run())
    try:
        while pipe.recv():
            pipe.send(elapsed(run))
    except EOFError:
        pass


def _one_core() -> None:
    """Allow no threads, and the same core for all where the operating system permits a choice; before a peer is imported."""
    torch.set_num_threads(1)
    os.environ |= {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1", "NUMBA_NUM_THREADS": "1"}
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
