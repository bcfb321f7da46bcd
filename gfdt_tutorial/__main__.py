"""The command line, thin over the public functions: python -m gfdt_tutorial VERB, with the verbs
simulate | fit-score | respond | perturb | truth | compare | analyse | figure1 | assets | bench.

Series and responses pass as .npz files (keys: `TimeSeries.save`, `Response.save`). Bad input: one message on stderr and exit 2.
Ctrl-C: exit 130. No file is ever left half-written. Results are saved before anything is printed, and printing never fails.
"""

import argparse
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from gfdt_tutorial import bench, figures
from gfdt_tutorial.command_line import ASSETS_MADE, parser
from gfdt_tutorial.core import storage
from gfdt_tutorial.core.progress import accept_all_characters, note, say
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.analysis import FILES, analyse
from gfdt_tutorial.data.reading import read_series
from gfdt_tutorial.experiments import shipped
from gfdt_tutorial.experiments.cache import Cache
from gfdt_tutorial.experiments.comparison import compare_systems
from gfdt_tutorial.experiments.pipeline import Comparison
from gfdt_tutorial.experiments.reference_truth import reference_truth, truth_for
from gfdt_tutorial.experiments.results import arrays, error_metrics, metrics
from gfdt_tutorial.experiments.shipping import ship_results
from gfdt_tutorial.figures import report
from gfdt_tutorial.figures.figure_one import figure_one
from gfdt_tutorial.responses.errors import Errors, compare
from gfdt_tutorial.responses.kick_response import respond
from gfdt_tutorial.responses.kicked_twins import perturb
from gfdt_tutorial.responses.response import Response
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.systems.base import DivergedError, System
from gfdt_tutorial.systems.built_in import SYSTEMS, make_system, system_of
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.sizes import Ensemble


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    accept_all_characters()
    chosen = parser().parse_args(arguments)
    try:
        for name in chosen.writes:
            if (path := getattr(chosen, name)) is not None:
                storage.check_file(path)
        return VERBS[chosen.verb](chosen) or 0
    except KeyboardInterrupt as stopped:
        say(f"stopped; {str(stopped) or 'nothing was left half-written'}", sys.stderr)
        return 130
    except (ValueError, OSError, DivergedError) as error:
        say(f"error: {error}", sys.stderr)
        return 2


def _simulate(chosen: argparse.Namespace) -> None:
    system = _system(chosen)
    size = system.ensemble(chosen.preset)
    members, duration, every = (_wanted(chosen, size, name) for name in ("members", "duration", "every"))
    data = simulate(
        system,
        members=members,
        spinup=size.spinup,
        duration=duration,
        every=every,
        seed=chosen.seed,
        device=chosen.device,
        context=chosen.context,
        cluster=chosen.cluster,
    )
    say(f"{data.snapshots} snapshots, u of shape {tuple(data.u.shape)}: {data.save(chosen.out)}")


def _fit_score(chosen: argparse.Namespace) -> int:
    folder = storage.check_folder(chosen.out)
    checkpoint = storage.check_file(folder.parent / f"{folder.resolve().name}.checkpoint")
    data = TimeSeries.load(chosen.series)
    options = {"context": chosen.context, "noise_levels": chosen.noise_levels, "device": chosen.device, "checkpoint": checkpoint}
    score = fit_score(data, preset=chosen.preset, seed=chosen.seed, **options)
    if score.metrics["interrupted"]:
        say(f"stopped after {score.metrics['steps']} steps; the same command goes on from {checkpoint}", sys.stderr)
        return 130
    path = score.save(folder)
    checkpoint.unlink(missing_ok=True)
    say(f"{score.metrics['steps']} steps, validation loss {score.metrics['validation']:.5g}: {path}")
    return 0


def _respond(chosen: argparse.Namespace) -> None:
    data = TimeSeries.load(chosen.series)
    if chosen.score == "gaussian":
        score = GaussianScore.fit(data)
    else:
        score = system_of(data.info).score if chosen.score == "analytic" else LearnedScore.load(chosen.score)
    options = {"form": chosen.form, "confidence": chosen.confidence, "symmetries": tuple(chosen.symmetry)}
    answer = respond(data, score, lags=chosen.lags, **options)
    say(f"{answer.method} response at {len(answer.times)} lags: {answer.save(chosen.out)}")


def _perturb(chosen: argparse.Namespace) -> None:
    system = _system(chosen)
    size = system.ensemble(chosen.preset)
    lags, pairs, every, amplitude = (_wanted(chosen, size, name) for name in ("lags", "pairs", "every", "amplitude"))
    options = {"every": every, "kick": chosen.kick, "amplitude": amplitude}
    truth = perturb(system, lags=lags, pairs=pairs, seed=chosen.seed, **options, device=chosen.device, cluster=chosen.cluster)
    say(f"{pairs} kicked pairs, {len(truth.times)} lags: {truth.save(chosen.out)}")


def _truth(chosen: argparse.Namespace) -> int:
    system = _system(chosen)
    name = f"{system.name}-truth"
    checkpoint = Path(chosen.checkpoint or f"{name}.checkpoint.npz")
    try:
        options = {"pairs": chosen.pairs, "seed": chosen.seed, "device": chosen.device, "cluster": chosen.cluster}
        truth = reference_truth(system, **options, checkpoint=checkpoint)
    except KeyboardInterrupt:
        say(f"stopped; the same command goes on from {checkpoint}", sys.stderr)
        return 130
    worst = float(truth.standard_error.max())
    out = (
        truth.save(chosen.out) if chosen.out else shipped.ship(name, truth, command=f"python -m gfdt_tutorial truth --system {system.name}")
    )
    checkpoint.unlink(missing_ok=True)
    say(f"{truth.info['pairs']} kicked pairs in {truth.info['seconds']:.0f} s, largest standard error {worst:.5f}: {out}")
    return 0


def _compare(chosen: argparse.Namespace) -> None:
    answers = {Path(path).stem: Response.load(path) for path in chosen.answers}
    truth = truth_for(next(iter(answers.values()))) if chosen.truth == "exact" else Response.load(chosen.truth)
    errors = {name: compare(answer, truth) for name, answer in answers.items()}
    saved = []
    if chosen.json:
        saved.append(storage.save_json(chosen.json, {name: error_metrics(error) for name, error in errors.items()}))
    if chosen.figure:
        figure = figures.comparison({truth.method: truth} | answers, errors)
        saved.append((figures.save_html if Path(chosen.figure).suffix == ".html" else figures.save_image)(figure, chosen.figure))
    say(_table(errors))
    _say_all(path for path in saved if path)


def _table(errors: dict[str, Errors]) -> str:
    rows = [f"{'response':24} {'quoted L2':>12} {'± (truth)':>10} {'quoted L∞':>12}"]
    rows += [
        f"{name:24} {one.quoted['l2']:12.4f} {one.quoted['l2_se_truth']:10.4f} {one.quoted['linf']:12.4f}" for name, one in errors.items()
    ]
    return "\n".join(rows)


def _compared(chosen: argparse.Namespace, systems: list[System], cache: Cache | None, *, conditioned: bool = False) -> list[Comparison]:
    """Systems compared; interrupted, it says from where to go on."""
    options = {"seed": chosen.seed, "device": chosen.device, "conditioned": conditioned, "cache": cache}
    try:
        return compare_systems(systems, preset=chosen.preset, **options)
    except KeyboardInterrupt:
        kept = "nothing was kept" if cache is None else f"the same command goes on from {cache.folder}"
        raise KeyboardInterrupt(kept) from None


def _assets(chosen: argparse.Namespace) -> None:
    storage.check_file(Path(chosen.out) / "manifest.json")
    found = _compared(chosen, _systems(chosen), _cache(chosen))
    changed = "".join(f" --{name} {getattr(chosen, name)}" for name in ("preset", "seed") if getattr(chosen, name) != ASSETS_MADE[name])
    command = f"python -m gfdt_tutorial assets{changed}"
    _say_all(ship_results(found, chosen.preset, chosen.seed, command=command, folder=chosen.out))


def _figure1(chosen: argparse.Namespace) -> None:
    systems, folder = _systems(chosen), storage.check_folder(chosen.out)
    folder.mkdir(parents=True, exist_ok=True)
    cache = _cache(chosen)
    found = _compared(chosen, systems, cache, conditioned=chosen.conditioned)
    saved = [
        score.save(folder / "score" / (one.system.name + ("" if method == "generative" else f"-{method}")))
        for one in found
        for method, score in one.scores.items()
    ]
    saved.append(storage.save_json(folder / "metrics.json", metrics(found, chosen.preset, chosen.seed)))
    saved.append(storage.save_npz(folder / "responses.npz", arrays(found)))
    figure = figure_one(found)
    saved.append(figures.save_html(figure, folder / "figure1.html"))
    saved.append(figures.save_image(figure, folder / "figure1.png", cache=cache))
    _say_all(path for path in saved if path)


def _analyse(chosen: argparse.Namespace) -> None:
    folder = storage.check_folder(chosen.out, FILES)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        data = read_series(chosen.file, axes=chosen.axes, every=chosen.every, variable=chosen.variable)
    for warning in caught:
        note(f"note: {warning.message}")
    options = {"lags": chosen.lags, "seed": chosen.seed, "confidence": chosen.confidence, "force": chosen.force, "device": chosen.device}
    options |= {"periods": tuple(chosen.period), "deseasonalise": chosen.deseasonalise, "detrend": chosen.detrend}
    options |= {"centre_members": chosen.centre_members}
    found = analyse(data, preset=chosen.preset, **options, tell=lambda stage: note(f"{stage} ..."))
    saved = found.save(folder, report.page(found))
    say(found.suitability)
    say(found.verdict)
    _say_all(saved)


def _bench(chosen: argparse.Namespace) -> None:
    rows = bench.run(chosen.only)
    saved = [storage.save_json(chosen.json, [vars(row) for row in rows])] if chosen.json else []
    say(bench.table(rows))
    _say_all(saved)


def _say_all(paths: Iterable[Path]) -> None:
    for path in paths:
        say(path)


def _system(chosen: argparse.Namespace) -> System:
    return make_system(chosen.system, dict(_pair(text) for text in chosen.set))


def _wanted(chosen: argparse.Namespace, size: Ensemble, name: str) -> float:
    """What was asked for, zero included, or the preset's."""
    asked = getattr(chosen, name)
    return getattr(size, name) if asked is None else asked


def _cache(chosen: argparse.Namespace) -> Cache | None:
    return None if chosen.no_cache else Cache()


def _systems(chosen: argparse.Namespace) -> list[System]:
    """Those named, in the order of the letter, and then the user's own; all built-in ones where none is named."""
    asked = chosen.system or list(SYSTEMS)
    names = [name for name in SYSTEMS if name in asked] + [name for name in dict.fromkeys(asked) if name not in SYSTEMS]
    if chosen.set and len(names) > 1:
        raise ValueError(f"--set changes a parameter of one system, and {len(names)} are to run; name one with --system")
    return [make_system(name, dict(_pair(text) for text in chosen.set)) for name in names]


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise ValueError(f"--set {text!r} is not NAME=NUMBER, such as --set kappa=0.0005") from None


VERBS = {
    "simulate": _simulate,
    "fit-score": _fit_score,
    "respond": _respond,
    "perturb": _perturb,
    "truth": _truth,
    "compare": _compare,
    "analyse": _analyse,
    "figure1": _figure1,
    "assets": _assets,
    "bench": _bench,
}

if __name__ == "__main__":
    sys.exit(main())
