"""The results that lessons show instead of computing them: how they are shipped, and how they are read."""

from collections.abc import Sequence
from pathlib import Path

from gfdt_tutorial.experiments.pipeline import COMBINED, Comparison, truth_of
from gfdt_tutorial.experiments.shipped import ASSETS, load_shipped, manifest, ship, ship_score
from gfdt_tutorial.systems.built_in import make_system
from gfdt_tutorial.systems.simulate import parameters, simulate

SHIPPED = ("gaussian", "analytic", "generative")  # methods


def ship_results(found: Sequence[Comparison], preset: str, seed: int, *, command: str, folder: str | Path = ASSETS) -> list[Path]:
    """Ship the learned score of each system and its responses.

    A response is shipped as <system>-<method> in the controlled form if there is one, otherwise raw; as <system>-<method>-normalised in the
    letter's form; and that of score and forecast together as <system>-combined.

    Raises:
        ValueError: a file would be larger than 2 MB.
    """
    paths = []
    for one in found:
        name = one.system.name
        config = {"preset": preset, "system": name, "parameters": parameters(one.system)}
        spent = {stage: told["seconds"] for stage, told in one.stages.items()}
        score = one.scores["generative"]
        paths.append(ship_score(name, score, command=command, folder=folder, seed=seed, seconds=spent["fit"], config=config))
        for method in [method for method in SHIPPED if method in one.responses]:
            seconds = spent["respond"] + (spent["fit"] if method == "generative" else 0.0)
            best = one.responses.get(f"{method}_controlled", one.responses[method])
            for suffix, response in (("", best), ("-normalised", one.responses.get(f"{method}_normalised"))):
                if response is not None:
                    paths.append(ship(f"{name}-{method}{suffix}", response, command=command, folder=folder, seed=seed, seconds=seconds))
        if COMBINED in one.headline:
            response, seconds = one.responses[one.headline[COMBINED]], spent["respond"] + spent["fit"] + spent["forecast"]
            paths.append(ship(f"{name}-{COMBINED}", response, command=command, folder=folder, seed=seed, seconds=seconds))
    return paths


def shipped_comparison(name: str) -> Comparison:
    """The shipped results of a system, with a field simulated now and the truth that needs no run.

    Raises:
        ValueError: an unknown system, or one for which no responses or no truth are shipped.
    """
    system = make_system(name)
    known = manifest()
    names = [f"{name}-{method}{suffix}" for method in SHIPPED for suffix in ("", "-normalised")]
    names.append(f"{name}-{COMBINED}")
    responses = [load_shipped(each) for each in names if each in known]
    if not responses:
        raise ValueError(f"no responses of {name} are shipped; `python -m gfdt_tutorial assets` makes them")
    times = responses[0].times
    truth = truth_of(system, float(times[-1]), float(times[1]))
    if truth is None:
        raise ValueError(f"no truth of {name} is shipped; `python -m gfdt_tutorial truth --system {name}` computes it")
    snapshot = simulate(system, members=1, duration=1.0, device="cpu").u[0, -1]
    found = Comparison(system, snapshot, truth, "cpu", {truth.method: truth})
    for response in responses:
        found.add(response)
    return found
