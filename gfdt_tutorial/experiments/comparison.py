"""All responses of a system compared with the truth: simulate → fit → respond → compare."""

from collections.abc import Callable, Sequence

from gfdt_tutorial.core.memory import free_memory
from gfdt_tutorial.core.progress import note
from gfdt_tutorial.experiments.cache import Cache, Stage
from gfdt_tutorial.experiments.pipeline import Comparison, plan, run
from gfdt_tutorial.systems.base import System


def compare_methods(
    system: System, *, preset: str = "quick", seed: int = 0, device: str = "auto", conditioned: bool = False, cache: Cache | None = None
) -> Comparison:
    """All responses of a system, compared with the truth: its closed form, otherwise the shipped truth, otherwise its own kicked twins.

    The score is learned from one ensemble and averaged over another, independent of the first. Responses with a score other than the
    Gaussian one are given raw, normalised as in the letter and, if the system has no closed form of its response, controlled; in that case
    all of them are also averaged over the symmetries of the system.

    Args:
        preset: ensemble sizes and training budget; see `systems.sizes` and `scores.budgets`.
        seed: of the data that responses are averaged over, and of training; the twins have seed + 1, the training data seed + 1000.
        conditioned: learn a second score that is given the hidden forcing, with the same budget.
        cache: where completed stages are read from and stored; by default everything is computed.

    Raises:
        ValueError: an unknown preset or device, or `conditioned` for a system without hidden forcing.
        KeyboardInterrupt: re-raised; with a cache, completed stages are kept, and the same call continues from there.
    """
    return run(plan(system, preset, seed=seed, device=device, conditioned=conditioned), cache)


def compare_systems(
    systems: Sequence[System],
    *,
    preset: str = "quick",
    seed: int = 0,
    device: str = "auto",
    conditioned: bool = False,
    cache: Cache | None = None,
) -> list[Comparison]:
    """`compare_methods` for one system after another; each stage is announced on standard error.

    Args:
        conditioned: as in `compare_methods`, for those systems that have a hidden forcing.

    Raises:
        ValueError: as in `compare_methods`, or `conditioned` if no system has a hidden forcing.
    """
    hidden = [conditioned and system.hidden_forcing for system in systems]
    if conditioned and not any(hidden):
        names = " and ".join(system.name for system in systems)
        raise ValueError(f"a conditioned score is given the hidden forcing, and {names} has none; leave it out")
    plans = [plan(system, preset, seed=seed, device=device, conditioned=given) for system, given in zip(systems, hidden, strict=True)]
    tell = _teller([stage for each in plans for stage in each.stages], cache)
    found = []
    for each in plans:
        found.append(run(each, cache, tell))
        free_memory()
    return found


def _teller(stages: list[Stage], cache: Cache | None) -> Callable[[Stage], None]:
    """Announces "stage 3 of 9: allen-cahn, fit" and, if every remaining stage was timed here before, their expected run time."""
    waiting = list(stages)

    def tell(stage: Stage) -> None:
        times = [None if cache is None else cache.expected_seconds(one) for one in waiting]
        known = [time for time in times if time is not None]
        left = "" if len(known) < len(times) else f"; some {sum(known):.0f} s left in all, by the last run of each stage"
        state = "; read from the cache" if times[0] == 0 else left

        note(f"stage {len(stages) - len(waiting) + 1} of {len(stages)}: {stage.subject}, {stage.name}{state}")
        waiting.pop(0)

    return tell
