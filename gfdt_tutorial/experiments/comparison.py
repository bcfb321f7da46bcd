"""Every response of a system against the truth: simulate → fit → respond → compare."""

from collections.abc import Callable, Sequence

from gfdt_tutorial.core.memory import free_memory
from gfdt_tutorial.core.progress import note
from gfdt_tutorial.experiments.cache import Cache, Stage
from gfdt_tutorial.experiments.pipeline import Comparison, plan, run
from gfdt_tutorial.systems.base import System


def compare_methods(
    system: System, *, preset: str = "quick", seed: int = 0, device: str = "auto", conditioned: bool = False, cache: Cache | None = None
) -> Comparison:
    """Every response this system has, against the truth: its closed form, else the shipped truth, else its own twins.

    The score is learned from one ensemble and averaged over another, independent of the first. Responses with a score other than the
    Gaussian one come raw, normalised as in the letter and, where there is no closed form to judge by, controlled; there all average over
    the system's symmetries, too.

    Args:
        preset: ensemble sizes and training budget; see `presets` and `scores.budgets`.
        seed: of the data that responses are averaged over, and of training; the twins take seed + 1, the training data seed + 1000.
        conditioned: learn a second score that is given the hidden forcing, with the same budget.
        cache: where stages that are done are looked for and kept; by default all is computed.

    Raises:
        ValueError: an unknown preset or device, or `conditioned` for a system without hidden forcing.
        KeyboardInterrupt: as it came; a cache keeps what is done, and the same call goes on from there.
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
    """`compare_methods` for one system after the other, telling on standard error which stage is under way.

    Args:
        conditioned: as there, for those systems that have a hidden forcing.

    Raises:
        ValueError: as there; `conditioned`, and no system has a hidden forcing.
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
    """Says "stage 3 of 9: allen-cahn, fit" and, if every stage still to come was timed here before, how long they will take."""
    waiting = list(stages)

    def tell(stage: Stage) -> None:
        times = [None if cache is None else cache.expected_seconds(one) for one in waiting]
        left = "" if None in times else f"; some {sum(times):.0f} s left in all, by the last run of each stage"
        state = "; kept from before" if times[0] == 0 else left
        note(f"stage {len(stages) - len(waiting) + 1} of {len(stages)}: {stage.subject}, {stage.name}{state}")
        waiting.pop(0)

    return tell
