"""The command line, thin over the public functions: python -m gfdt_tutorial VERB, with the verbs
simulate | fit-score | fit-forecast | respond | perturb | truth | compare | analyse | figure1 | assets | bench.

Series and responses are passed on as .npz files (keys: `TimeSeries.save`, `Response.save`). Bad input gives one message on standard error
and exit status 2, Ctrl-C gives 130. No file is left half-written. Results are saved before anything is printed, and printing never fails.

Each verb is a function and, above it, the function that adds its options; `VERBS` lists them. The parser is argparse, of the standard
library: what cyclopts or typer would save in lines they would cost in dependencies and in messages of their own form.
"""

import argparse
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from gfdt_tutorial import bench, figures
from gfdt_tutorial.core import storage
from gfdt_tutorial.core.folds import parts_of
from gfdt_tutorial.core.progress import accept_all_characters, note, say
from gfdt_tutorial.core.series import TimeSeries
from gfdt_tutorial.data.analysis import analyse
from gfdt_tutorial.data.parts import FILES
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
from gfdt_tutorial.responses.response import FORMS, Response
from gfdt_tutorial.responses.symmetries import SYMMETRIES
from gfdt_tutorial.responses.twin_runs import KICK_KINDS
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.forecast_files import load_forecast, save_forecast
from gfdt_tutorial.scores.forecast_fit import fit_forecast
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.loading import load_score
from gfdt_tutorial.scores.polynomial import PolynomialScore
from gfdt_tutorial.systems.base import DivergedError, System
from gfdt_tutorial.systems.built_in import SYSTEMS, make_system, system_of
from gfdt_tutorial.systems.simulate import simulate
from gfdt_tutorial.systems.sizes import PRESETS

T = TypeVar("T")
Score = Callable[..., torch.Tensor]
WHICH = f"{', '.join(sorted(SYSTEMS))}, or one of your own as module:Class or file.py:Class"
ASSETS_PRESET, ASSETS_SEED = "standard", 0  # how the shipped assets were made


@dataclass(frozen=True)
class Verb:
    """What a verb does, what it says of itself, its options, and the names of those options that are files to write."""

    work: Callable[[argparse.Namespace], int | None]
    words: str
    options: Callable[[argparse.ArgumentParser], None]
    writes: tuple[str, ...] = ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit status."""
    accept_all_characters()
    chosen = parser().parse_args(arguments)
    verb = VERBS[chosen.verb]
    try:
        for name in verb.writes:
            if (path := getattr(chosen, name)) is not None:
                storage.check_file(path)
        return verb.work(chosen) or 0
    except KeyboardInterrupt as stopped:
        say(f"stopped; {str(stopped) or 'nothing was left half-written'}", sys.stderr)
        return 130
    except (ValueError, OSError, DivergedError) as error:
        say(f"error: {error}", sys.stderr)
        return 2


class _Parser(argparse.ArgumentParser):
    """Prints its help as everything else is printed."""

    def print_help(self, file: Any = None) -> None:
        say(self.format_help().rstrip("\n"), file)


def parser() -> argparse.ArgumentParser:
    """The parser of all verbs; what it finds has the verb as `verb`."""
    found = _Parser(prog="python -m gfdt_tutorial", description="Response theory via generative score modelling.")
    verbs = found.add_subparsers(required=True, metavar="VERB", dest="verb")
    for name, verb in VERBS.items():
        verb.options(verbs.add_parser(name, help=verb.words, description=verb.words))
    return found


# options that several verbs share


def _add_system(verb: argparse.ArgumentParser, *, seed: int | None) -> None:
    verb.add_argument("--system", required=True, help=WHICH)
    _add_changes(verb)
    _add_run(verb, seed=seed)


def _add_systems(verb: argparse.ArgumentParser, *, seed: int, preset: str = "quick") -> None:
    verb.add_argument("--system", action="append", help=f"{WHICH}; may be repeated; all of these by default")
    verb.add_argument("--no-cache", action="store_true", help="compute everything anew and keep nothing; otherwise see GFDT_CACHE")
    _add_run(verb, seed=seed, preset=preset)


def _add_changes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help="a parameter of the system; may be repeated")


def _add_run(verb: argparse.ArgumentParser, *, seed: int | None, preset: str = "quick") -> None:
    verb.add_argument("--preset", choices=PRESETS, default=preset)
    verb.add_argument("--seed", type=int, default=seed)
    verb.add_argument("--device", default="auto", help="auto, cpu or cuda")


def _add_learning(verb: argparse.ArgumentParser, presets: tuple[str, ...], words: str) -> None:
    verb.add_argument("series", help="an .npz with the keys u, times, axes")
    verb.add_argument("--preset", choices=presets, default="quick", help=words)
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--context", action="store_true", help="give the network the context of the series")
    verb.add_argument("--device", default="auto", help="auto, cpu or cuda")


def _add_out(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--out", required=True, help=".npz file to write")


def _add_cluster(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--cluster", metavar="ADDRESS", help="of a dask.distributed scheduler, as tcp://host:8786, whose workers do it")


# the verbs


def _simulate_options(verb: argparse.ArgumentParser) -> None:
    _add_system(verb, seed=0)
    verb.add_argument("--members", type=int, help="independent runs; the preset's by default")
    verb.add_argument("--duration", type=float, help="time from first to last sample; the preset's by default")
    verb.add_argument("--every", type=float, help="sampling interval; the preset's by default")
    verb.add_argument("--context", action="store_true", help="keep the hidden forcing of a system that has one")
    _add_cluster(verb)
    _add_out(verb)


def _simulate(chosen: argparse.Namespace) -> None:
    system = _system(chosen)
    size = system.ensemble(chosen.preset)
    data = simulate(
        system,
        members=_given(chosen.members, size.members),
        duration=_given(chosen.duration, size.duration),
        every=_given(chosen.every, size.every),
        spinup=size.spinup,
        seed=chosen.seed,
        device=chosen.device,
        context=chosen.context,
        cluster=chosen.cluster,
    )
    say(f"{data.snapshots} snapshots, u of shape {tuple(data.u.shape)}: {data.save(chosen.out)}")


def _fit_score_options(verb: argparse.ArgumentParser) -> None:
    _add_learning(verb, PRESETS, "how long to train")
    verb.add_argument("--noise-levels", action="store_true", help="learn the score at all noise levels, to generate")
    verb.add_argument("--out", required=True, help="folder for weights.safetensors and score.json")


def _fit_score(chosen: argparse.Namespace) -> int:
    folder = storage.check_folder(chosen.out)
    checkpoint = storage.check_file(folder.parent / f"{folder.resolve().name}.checkpoint")
    score = fit_score(
        TimeSeries.load(chosen.series),
        preset=chosen.preset,
        seed=chosen.seed,
        context=chosen.context,
        noise_levels=chosen.noise_levels,
        device=chosen.device,
        checkpoint=checkpoint,
    )
    if score.metrics["interrupted"]:
        say(f"stopped after {score.metrics['steps']} steps; the same command goes on from {checkpoint}", sys.stderr)
        return 130
    path = score.save(folder)
    checkpoint.unlink(missing_ok=True)
    say(f"{score.metrics['steps']} steps, validation loss {score.metrics['validation']:.5g}: {path}")
    return 0


def _fit_forecast_options(verb: argparse.ArgumentParser) -> None:
    _add_learning(verb, (*PRESETS, "none"), "how long to train the network; none for no network")
    verb.add_argument("--lags", type=float, default=90.0, help="largest lag, in time units")
    words = "2: one forecast for each half of the series, to be averaged over the other half; 1: one, for another series"
    verb.add_argument("--folds", type=int, choices=(1, 2), default=2, help=words)
    verb.add_argument("--out", required=True, help="folder for the weights and their description")


def _fit_forecast(chosen: argparse.Namespace) -> int:
    folder = storage.check_folder(chosen.out)
    checkpoint = storage.check_file(folder.parent / f"{folder.resolve().name}.checkpoint")
    found = fit_forecast(
        TimeSeries.load(chosen.series),
        chosen.lags,
        preset=None if chosen.preset == "none" else chosen.preset,
        seed=chosen.seed,
        context=chosen.context,
        folds=chosen.folds,
        device=chosen.device,
        checkpoint=checkpoint,
    )
    parts = parts_of(found)
    if any(part.metrics.get("interrupted") for part in parts):
        say(f"stopped; the same command goes on from {checkpoint}", sys.stderr)
        return 130
    path = save_forecast(found, folder)
    for one in (checkpoint, checkpoint.with_name(checkpoint.name + ".second")):
        one.unlink(missing_ok=True)
    left = [f"{part.metrics['held_out']:.3f}" for part in parts]
    say(f"fraction of held-out data that stays unexplained, over all lags and wavevectors: {' and '.join(left)}; {path}")
    return 0


FITTED: dict[str, Callable[[TimeSeries], Score]] = {"gaussian": GaussianScore.fit, "polynomial": PolynomialScore.fit}


def _respond_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("series", help="an .npz with the keys u, times, axes")
    words = "gaussian, polynomial (a few variables without space), analytic (for a series made by `simulate`), or a folder of fit-score"
    verb.add_argument("--score", default="gaussian", help=words)
    verb.add_argument("--lags", type=float, default=90.0, help="largest lag, in time units")
    words = "raw, normalised: R(t) R(0)⁻¹, controlled: with the Gaussian response as a control variate, or combined: with a forecast"
    verb.add_argument("--form", choices=FORMS, help=words + "; raw by default, combined if there is a forecast")
    verb.add_argument("--forecast", help="a folder written by fit-forecast, for the combined form")
    verb.add_argument("--symmetry", action="append", default=[], choices=SYMMETRIES, help="average over it; may be repeated")
    verb.add_argument("--confidence", type=float, default=0.90, help="level of the band")
    _add_out(verb)


def _respond(chosen: argparse.Namespace) -> None:
    data = TimeSeries.load(chosen.series)
    score: Score
    if chosen.score in FITTED:
        score = FITTED[chosen.score](data)
    else:
        score = system_of(data.info).score if chosen.score == "analytic" else load_score(chosen.score)
    forecast = None if chosen.forecast is None else load_forecast(chosen.forecast)
    options = {"form": chosen.form, "forecast": forecast, "confidence": chosen.confidence, "symmetries": tuple(chosen.symmetry)}
    found = respond(data, score, lags=chosen.lags, **options)
    say(f"{found.method} response at {len(found.times)} lags: {found.save(chosen.out)}")


def _perturb_options(verb: argparse.ArgumentParser) -> None:
    _add_system(verb, seed=0)
    verb.add_argument("--lags", type=float, help="largest lag; the preset's by default")
    verb.add_argument("--pairs", type=int, help="kicked pairs; the preset's by default")
    verb.add_argument("--every", type=float, help="spacing of the lags; the preset's by default")
    verb.add_argument("--kick", choices=KICK_KINDS, default="pixel")
    verb.add_argument("--amplitude", type=float, help="of the kick, in units of the field; the preset's by default")
    _add_cluster(verb)
    _add_out(verb)


def _perturb(chosen: argparse.Namespace) -> None:
    system = _system(chosen)
    size = system.ensemble(chosen.preset)
    truth = perturb(
        system,
        lags=_given(chosen.lags, size.lags),
        pairs=_given(chosen.pairs, size.pairs),
        seed=chosen.seed,
        every=_given(chosen.every, size.every),
        kick=chosen.kick,
        amplitude=_given(chosen.amplitude, size.amplitude),
        device=chosen.device,
        cluster=chosen.cluster,
    )
    say(f"{truth.info['pairs']} kicked pairs, {len(truth.times)} lags: {truth.save(chosen.out)}")


def _truth_options(verb: argparse.ArgumentParser) -> None:
    _add_system(verb, seed=None)
    verb.add_argument("--smooth", action="store_true", help="kicks with the spectrum of a bump, for the response of long waves")
    verb.add_argument("--pairs", type=int, help="kicked pairs; those of the shipped truth by default")
    verb.add_argument("--checkpoint", help="file to go on from; SYSTEM-truth.checkpoint.npz by default")
    verb.add_argument("--out", help="an .npz instead of the package's own assets")
    _add_cluster(verb)


def _truth(chosen: argparse.Namespace) -> int:
    system = _system(chosen)
    name = f"{system.name}-truth" + ("-smooth" if chosen.smooth else "")
    checkpoint = Path(chosen.checkpoint or f"{name}.checkpoint.npz")
    try:
        options = {"smooth": chosen.smooth, "pairs": chosen.pairs, "seed": chosen.seed, "device": chosen.device, "cluster": chosen.cluster}
        truth = reference_truth(system, **options, checkpoint=checkpoint)
    except KeyboardInterrupt:
        say(f"stopped; the same command goes on from {checkpoint}", sys.stderr)
        return 130
    worst = 0.0 if truth.standard_error is None else float(truth.standard_error.max())
    command = f"python -m gfdt_tutorial truth --system {system.name}" + " --smooth" * chosen.smooth
    out = truth.save(chosen.out) if chosen.out else shipped.ship(name, truth, command=command)
    checkpoint.unlink(missing_ok=True)
    say(f"{truth.info['pairs']} kicked pairs in {truth.info['seconds']:.0f} s, largest standard error {worst:.5f}: {out}")
    return 0


def _compare_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("responses", nargs="+", help=".npz files written by respond")
    verb.add_argument("--truth", required=True, help="an .npz written by perturb, or the word exact where a closed form exists")
    verb.add_argument("--figure", help="write a figure: .html opens offline, .png and .svg need kaleido and Chromium")
    verb.add_argument("--json", help="write the errors at every lag")


def _compare(chosen: argparse.Namespace) -> None:
    responses = {Path(path).stem: Response.load(path) for path in chosen.responses}
    truth = truth_for(next(iter(responses.values()))) if chosen.truth == "exact" else Response.load(chosen.truth)
    errors = {name: compare(response, truth) for name, response in responses.items()}
    saved: list[Path | None] = []
    if chosen.json:
        saved.append(storage.save_json(chosen.json, {name: error_metrics(error) for name, error in errors.items()}))
    if chosen.figure:
        figure = figures.comparison({truth.method: truth} | responses, errors)
        saved.append((figures.save_html if Path(chosen.figure).suffix == ".html" else figures.save_image)(figure, chosen.figure))
    say(_table(errors))
    _say_all(path for path in saved if path)


def _table(errors: dict[str, Errors]) -> str:
    rows = [f"{'response':24} {'quoted L2':>12} {'± (truth)':>10} {'quoted L∞':>12}"]
    rows += [
        f"{name:24} {one.quoted['l2']:12.4f} {one.quoted['l2_se_truth']:10.4f} {one.quoted['linf']:12.4f}" for name, one in errors.items()
    ]
    return "\n".join(rows)


def _analyse_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("file", help=".npy, .npz, NetCDF (.nc) or .zarr")
    words = "letters of the array's axes, in order: m member, t time, y and x space; where the file does not say"
    verb.add_argument("--axes", help=words)
    words = "sampling interval, in the time unit in which lags are wanted; where the file has no times"
    verb.add_argument("--every", type=float, help=words)
    verb.add_argument("--variable", help="which array of the file")
    verb.add_argument("--preset", choices=PRESETS, default="quick")
    verb.add_argument("--lags", type=float, help="largest lag, in time units; twice the memory of the data by default")
    verb.add_argument("--confidence", type=float, default=0.90, help="level of the bands")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--device", default="auto", help="auto, cpu or cuda")
    words = "a likely season, in time units, to test for before all periods are searched; may be repeated"
    verb.add_argument("--period", type=float, action="append", default=[], help=words)
    words = "first remove the mean cycle of this period, in time units"
    verb.add_argument("--deseasonalise", type=float, metavar="PERIOD", help=words)
    verb.add_argument("--detrend", action="store_true", help="first remove a straight line")
    verb.add_argument("--centre-members", action="store_true", help="first remove the differences between the means of members")
    verb.add_argument("--force", action="store_true", help="go on although a check refuses the data; the report says so")
    verb.add_argument("--out", required=True, help="folder for report.html, responses.npz, analysis.json, score-1, score-2")


def _analyse(chosen: argparse.Namespace) -> None:
    folder = storage.check_folder(chosen.out, FILES)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        data = read_series(chosen.file, axes=chosen.axes, every=chosen.every, variable=chosen.variable)
    for warning in caught:
        note(f"note: {warning.message}")
    found = analyse(
        data,
        preset=chosen.preset,
        lags=chosen.lags,
        seed=chosen.seed,
        confidence=chosen.confidence,
        force=chosen.force,
        device=chosen.device,
        periods=tuple(chosen.period),
        deseasonalise=chosen.deseasonalise,
        detrend=chosen.detrend,
        centre_members=chosen.centre_members,
        tell=lambda stage: note(f"{stage} ..."),
    )
    saved = found.save(folder, report.page(found))
    say(found.findings)
    say(found.verdict)
    _say_all(saved)


def _figure1_options(verb: argparse.ArgumentParser) -> None:
    _add_systems(verb, seed=0)
    _add_changes(verb)
    verb.add_argument("--conditioned", action="store_true", help="learn a second score, given the hidden forcing, where there is one")
    verb.add_argument("--out", required=True, help="folder for figure1.html, figure1.png, responses.npz, metrics.json, score/")


def _figure1(chosen: argparse.Namespace) -> None:
    systems, folder = _systems(chosen), storage.check_folder(chosen.out)
    folder.mkdir(parents=True, exist_ok=True)
    cache = _cache(chosen)
    found = _compared(chosen, systems, cache, conditioned=chosen.conditioned)
    saved: list[Path | None] = [
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


def _assets_options(verb: argparse.ArgumentParser) -> None:
    _add_systems(verb, preset=ASSETS_PRESET, seed=ASSETS_SEED)
    verb.add_argument("--out", default=shipped.ASSETS, help="an existing folder instead of the package's own assets")
    verb.set_defaults(set=[])


def _assets(chosen: argparse.Namespace) -> None:
    storage.check_file(Path(chosen.out) / "manifest.json")
    found = _compared(chosen, _systems(chosen), _cache(chosen))
    changed = "" if chosen.preset == ASSETS_PRESET else f" --preset {chosen.preset}"
    changed += "" if chosen.seed == ASSETS_SEED else f" --seed {chosen.seed}"
    command = f"python -m gfdt_tutorial assets{changed}"
    _say_all(ship_results(found, chosen.preset, chosen.seed, command=command, folder=chosen.out))


def _bench_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--only", choices=sorted(bench.GROUPS), help="one group of rows")
    verb.add_argument("--json", help="write the rows too")


def _bench(chosen: argparse.Namespace) -> None:
    if chosen.json:
        bench.page.read(chosen.json)  # refused before anything is measured, if it holds something else
    rows = bench.run(chosen.only)
    saved = bench.page.save(chosen.json, rows, bench.GROUPS) if chosen.json else []
    say(bench.table(rows))
    _say_all(saved)


# what the verbs share


def _given(asked: T | None, default: T) -> T:
    """What was asked for, zero included, or the preset's."""
    return default if asked is None else asked


def _compared(chosen: argparse.Namespace, systems: list[System], cache: Cache | None, *, conditioned: bool = False) -> list[Comparison]:
    """Systems compared; interrupted, it says from where to go on."""
    try:
        return compare_systems(systems, preset=chosen.preset, seed=chosen.seed, device=chosen.device, conditioned=conditioned, cache=cache)
    except KeyboardInterrupt:
        kept = "nothing was kept" if cache is None else f"the same command goes on from {cache.folder}"
        raise KeyboardInterrupt(kept) from None


def _say_all(paths: Iterable[Path]) -> None:
    for path in paths:
        say(path)


def _system(chosen: argparse.Namespace) -> System:
    return make_system(chosen.system, dict(_pair(text) for text in chosen.set))


def _systems(chosen: argparse.Namespace) -> list[System]:
    """Those named, in the order of the letter, and then the user's own; all built-in ones where none is named."""
    asked = chosen.system or list(SYSTEMS)
    names = [name for name in SYSTEMS if name in asked] + [name for name in dict.fromkeys(asked) if name not in SYSTEMS]
    if chosen.set and len(names) > 1:
        raise ValueError(f"--set changes a parameter of one system, and {len(names)} are to run; name one with --system")
    return [make_system(name, dict(_pair(text) for text in chosen.set)) for name in names]


def _cache(chosen: argparse.Namespace) -> Cache | None:
    return None if chosen.no_cache else Cache()


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise ValueError(f"--set {text!r} is not NAME=NUMBER, such as --set kappa=0.0005") from None


VERBS = {
    "simulate": Verb(_simulate, "an unperturbed, stationary ensemble", _simulate_options, ("out",)),
    "fit-score": Verb(
        _fit_score,
        "learn the score of an unperturbed series; after Ctrl-C the same command goes on from its checkpoint",
        _fit_score_options,
    ),
    "fit-forecast": Verb(
        _fit_forecast,
        "learn to forecast an unperturbed series, for responses whose errors multiply; after Ctrl-C it goes on likewise",
        _fit_forecast_options,
    ),
    "respond": Verb(_respond, "the response, from an unperturbed series and a score", _respond_options, ("out",)),
    "perturb": Verb(_perturb, "the truth, from kicked twins", _perturb_options, ("out",)),
    "truth": Verb(
        _truth,
        "the long reference truth (minutes to an hour); after Ctrl-C the same command goes on from its checkpoint",
        _truth_options,
        ("out", "checkpoint"),
    ),
    "compare": Verb(_compare, "errors of responses against a truth", _compare_options, ("json", "figure")),
    "analyse": Verb(
        _analyse,
        "a series of your own: whether it is fit for this method, its score, and how it responds to a kick; a report of one page",
        _analyse_options,
    ),
    "figure1": Verb(
        _figure1,
        "simulate, fit, respond, perturb and compare; draw the letter's Figure 1; after Ctrl-C or a crash the same command goes on",
        _figure1_options,
    ),
    "assets": Verb(
        _assets, "make the learned scores and responses that travel with the package (20 min); goes on as figure1 does", _assets_options
    ),
    "bench": Verb(_bench, "measure what the project promises, on this machine", _bench_options, ("json",)),
}

if __name__ == "__main__":
    sys.exit(main())
