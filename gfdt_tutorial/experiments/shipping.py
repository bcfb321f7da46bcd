"""Ship what lessons show instead of computing it, and read it again."""

from collections.abc import Sequence
from pathlib import Path

from gfdt_tutorial.experiments.pipeline import Comparison, truth_of
from gfdt_tutorial.experiments.shipped import ASSETS, load_shipped, manifest, ship, ship_score
from gfdt_tutorial.systems.built_in import make_system
from gfdt_tutorial.systems.simulate import parameters, simulate

SHIPPED = ("gaussian", "analytic", "generative")  # methods


def ship_results(found: Sequence[Comparison], preset: str, seed: int, *, command: str, folder: str | Path = ASSETS) -> list[Path]:
    """Ship what lessons show instead of computing it: of each system the learned score and its responses.

    As <system>-<method> a response comes controlled where there is such a form, else raw; and beside that, as <system>-<method>-normalised,
    in the letter's form.

    Raises:
        ValueError: a file would be larger than 2 MB.
    """
    paths = []
    for one in found:
        name, about = one.system.name, {"command": command, "folder": folder, "seed": seed}
        config = {"preset": preset, "system": name, "parameters": parameters(one.system)}
        spent = {stage: told["seconds"] for stage, told in one.stages.items()}
        paths.append(ship_score(name, one.scores["generative"], **about, seconds=spent["fit"], config=config))
        for method in [method for method in SHIPPED if method in one.responses]:
            seconds = spent["respond"] + (spent["fit"] if method == "generative" else 0.0)
            best = one.responses.get(f"{method}_controlled", one.responses[method])
            for suffix, response in (("", best), ("-normalised", one.responses.get(f"{method}_normalised"))):
                if response is not None:
                    paths.append(ship(f"{name}-{method}{suffix}", response, **about, seconds=seconds))
    return paths


def shipped_comparison(name: str) -> Comparison:
    """What `ship_results` shipped of a system, with a field drawn now and the truth that needs no run.

    Raises:
        ValueError: an unknown system, or one of which no responses are shipped.
    """
    system = make_system(name)
    known = manifest()
    names = [f"{name}-{method}{suffix}" for method in SHIPPED for suffix in ("", "-normalised")]
    answers = [load_shipped(each) for each in names if each in known]
    if not answers:
        raise ValueError(f"no responses of {name} are shipped; `python -m gfdt_tutorial assets` makes them")
    times = answers[0].times
    truth = truth_of(system, float(times[-1]), float(times[1]))
    snapshot = simulate(system, members=1, duration=1.0, device="cpu").u[0, -1]
    found = Comparison(system, snapshot, truth, "cpu", {truth.method: truth})
    for answer in answers:
        found.add(answer)
    return found
