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
from typing import TextIO

from gfdt_tutorial import bench, experiments, figures, presets, report, shipped, storage
from gfdt_tutorial.analysis import FILES, analyse
from gfdt_tutorial.cache import Cache
from gfdt_tutorial.figure_one import figure_one
from gfdt_tutorial.progress import accept_all_characters, note, say
from gfdt_tutorial.reading import read_series
from gfdt_tutorial.responses.curves import Errors, Response, compare
from gfdt_tutorial.responses.gfdt import respond
from gfdt_tutorial.responses.symmetries import SYMMETRIES
from gfdt_tutorial.responses.twins import KICKS, perturb
from gfdt_tutorial.scores.fit import fit_score
from gfdt_tutorial.scores.gaussian import GaussianScore
from gfdt_tutorial.scores.learned import LearnedScore
from gfdt_tutorial.series import TimeSeries
from gfdt_tutorial.systems.simulate import DivergedError, simulate

ASSETS_MADE = {"preset": "standard", "seed": 0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    accept_all_characters()
    chosen = _parser().parse_args(arguments)
    try:
        for name in chosen.writes:
            if (path := getattr(chosen, name)) is not None:
                storage.check_file(path)
        return chosen.run(chosen) or 0
    except KeyboardInterrupt as stopped:
        say(f"stopped; {str(stopped) or 'nothing was left half-written'}", sys.stderr)
        return 130
    except (ValueError, OSError, DivergedError) as error:
        say(f"error: {error}", sys.stderr)
        return 2


def _simulate(chosen: argparse.Namespace) -> None:
    system, size = _system(chosen), presets.ensemble(chosen.system, chosen.preset)
    members, duration, every = (_wanted(chosen, size, name) for name in ("members", "duration", "every"))
    data = simulate(system, members, size.spinup, duration, every, chosen.seed, chosen.device, chosen.context, chosen.cluster)
    say(f"{data.snapshots} snapshots, u of shape {tuple(data.u.shape)}: {data.save(chosen.out)}")


def _fit_score(chosen: argparse.Namespace) -> int:
    folder = storage.check_folder(chosen.out)
    checkpoint = storage.check_file(folder.parent / f"{folder.resolve().name}.checkpoint")
    data = TimeSeries.load(chosen.series)
    options = {"context": chosen.context, "levels": chosen.levels, "device": chosen.device, "checkpoint": checkpoint}
    score = fit_score(data, chosen.preset, chosen.seed, **options)
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
        score = experiments.system_of(data.info).score if chosen.score == "analytic" else LearnedScore.load(chosen.score)
    options = {"control": chosen.control, "symmetries": tuple(chosen.symmetry)}
    answer = respond(data, score, chosen.lags, chosen.normalise, chosen.level, **options)
    say(f"{answer.method} response at {len(answer.times)} lags: {answer.save(chosen.out)}")


def _perturb(chosen: argparse.Namespace) -> None:
    system, size = _system(chosen), presets.ensemble(chosen.system, chosen.preset)
    lags, pairs, every, amplitude = (_wanted(chosen, size, name) for name in ("lags", "pairs", "every", "amplitude"))
    options = {"every": every, "kick": chosen.kick, "amplitude": amplitude}
    truth = perturb(system, lags, pairs, chosen.seed, **options, device=chosen.device, cluster=chosen.cluster)
    say(f"{pairs} kicked pairs, {len(truth.times)} lags: {truth.save(chosen.out)}")


def _truth(chosen: argparse.Namespace) -> int:
    system = _system(chosen)
    name = f"{system.name}-truth"
    checkpoint = Path(chosen.checkpoint or f"{name}.checkpoint.npz")
    try:
        options = {"pairs": chosen.pairs, "seed": chosen.seed, "device": chosen.device, "cluster": chosen.cluster}
        truth = experiments.reference_truth(system, **options, checkpoint=checkpoint)
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
    truth = experiments.truth_for(next(iter(answers.values()))) if chosen.truth == "exact" else Response.load(chosen.truth)
    errors = {name: compare(answer, truth) for name, answer in answers.items()}
    saved = []
    if chosen.json:
        saved.append(storage.save_json(chosen.json, {name: experiments.error_metrics(error) for name, error in errors.items()}))
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


def _compared(chosen: argparse.Namespace, systems: list, cache: Cache | None, *, conditioned: bool = False) -> list[experiments.Comparison]:
    """Systems compared; interrupted, it says from where to go on."""
    options = {"seed": chosen.seed, "device": chosen.device, "conditioned": conditioned, "cache": cache}
    try:
        return experiments.compare_systems(systems, chosen.preset, **options)
    except KeyboardInterrupt:
        kept = "nothing was kept" if cache is None else f"the same command goes on from {cache.folder}"
        raise KeyboardInterrupt(kept) from None


def _assets(chosen: argparse.Namespace) -> None:
    storage.check_file(Path(chosen.out) / "manifest.json")
    found = _compared(chosen, _systems(chosen), _cache(chosen))
    changed = "".join(f" --{name} {getattr(chosen, name)}" for name in ("preset", "seed") if getattr(chosen, name) != ASSETS_MADE[name])
    command = f"python -m gfdt_tutorial assets{changed}"
    _say_all(experiments.ship_results(found, chosen.preset, chosen.seed, command=command, folder=chosen.out))


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
    saved.append(storage.save_json(folder / "metrics.json", experiments.metrics(found, chosen.preset, chosen.seed)))
    saved.append(storage.save_npz(folder / "responses.npz", experiments.arrays(found)))
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
    options = {"lags": chosen.lags, "seed": chosen.seed, "level": chosen.level, "force": chosen.force, "device": chosen.device}
    found = analyse(data, chosen.preset, **options, tell=lambda stage: note(f"{stage} ..."))
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


def _system(chosen: argparse.Namespace):
    return experiments.make_system(chosen.system, dict(_pair(text) for text in chosen.set))


def _wanted(chosen: argparse.Namespace, size: presets.Ensemble, name: str) -> float:
    """What was asked for, zero included, or the preset's."""
    asked = getattr(chosen, name)
    return getattr(size, name) if asked is None else asked


def _cache(chosen: argparse.Namespace) -> Cache | None:
    return None if chosen.no_cache else Cache()


def _systems(chosen: argparse.Namespace) -> list:
    """Those named, in the order of the letter; all where none is named."""
    names = [name for name in experiments.SYSTEMS if name in (chosen.system or experiments.SYSTEMS)]
    if chosen.set and len(names) > 1:
        raise ValueError(f"--set changes a parameter of one system, and {len(names)} are to run; name one with --system")
    return [experiments.make_system(name, dict(_pair(text) for text in chosen.set)) for name in names]


def _pair(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise ValueError(f"--set {text!r} is not NAME=NUMBER, such as --set kappa=0.0005") from None


class _Parser(argparse.ArgumentParser):
    """Its help is printed as everything else is."""

    def print_help(self, file: TextIO | None = None) -> None:
        say(self.format_help().rstrip("\n"), file)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m gfdt_tutorial", description="Response theory via generative score modelling.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verb = _verb(verbs, "simulate", _simulate, "an undisturbed, stationary ensemble", makes=True)
    _add_system(verb, seed=0)
    for name, words in (("members", "independent runs"), ("duration", "time from first to last sample"), ("every", "sampling interval")):
        verb.add_argument(f"--{name}", type=int if name == "members" else float, help=f"{words}; the preset's by default")

    verb.add_argument("--context", action="store_true", help="keep the hidden forcing of a system that has one")
    _add_cluster(verb)

    verb = _verb(
        verbs, "fit-score", _fit_score, "learn the score of an undisturbed series; Ctrl-C keeps a checkpoint, the same command goes on"
    )
    verb.add_argument("series", help="an .npz with the keys u, times, axes")
    verb.add_argument("--preset", choices=presets.PRESETS, default="quick")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--levels", action="store_true", help="know all noise levels, to generate")
    verb.add_argument("--context", action="store_true", help="give the network the context of the series")
    verb.add_argument("--device", default="auto", help="auto, cpu or cuda")
    verb.add_argument("--out", required=True, help="folder for weights.safetensors and score.json")

    verb = _verb(verbs, "respond", _respond, "the response, from an undisturbed series and a score", makes=True)
    verb.add_argument("series", help="an .npz with the keys u, times, axes")
    words = "gaussian, analytic (only for a series made by `simulate`), or a folder written by fit-score"
    verb.add_argument("--score", default="gaussian", help=words)
    verb.add_argument("--lags", type=float, default=90.0, help="largest lag, in time units")
    verb.add_argument("--normalise", action="store_true", help="R(t) R(0)⁻¹")
    verb.add_argument("--control", action="store_true", help="take the Gaussian response as a control variate")
    verb.add_argument("--symmetry", action="append", default=[], choices=SYMMETRIES, help="average over it; may be repeated")
    verb.add_argument("--level", type=float, default=0.90, help="of the band")

    verb = _verb(verbs, "perturb", _perturb, "the truth, from kicked twins", makes=True)
    _add_system(verb, seed=1)
    for name, kind, words in (("lags", float, "largest lag"), ("pairs", int, "kicked pairs"), ("every", float, "spacing of the lags")):
        verb.add_argument(f"--{name}", type=kind, help=f"{words}; the preset's by default")
    verb.add_argument("--kick", choices=KICKS, default="pixel")
    verb.add_argument("--amplitude", type=float, help="of the kick, in units of the field; the preset's by default")
    _add_cluster(verb)

    words = "the long reference truth (minutes to an hour); Ctrl-C keeps a checkpoint, the same command goes on"
    verb = _verb(verbs, "truth", _truth, words, writes=("out", "checkpoint"))
    _add_system(verb, seed=None)
    verb.add_argument("--pairs", type=int, help="kicked pairs; those of the shipped truth by default")
    verb.add_argument("--checkpoint", help="file to go on from; SYSTEM-truth.checkpoint.npz by default")
    verb.add_argument("--out", help="an .npz instead of the package's own assets")
    _add_cluster(verb)

    verb = _verb(verbs, "compare", _compare, "errors of responses against a truth", writes=("json", "figure"))
    verb.add_argument("answers", nargs="+", help=".npz files written by respond")
    verb.add_argument("--truth", required=True, help="an .npz written by perturb, or the word exact where a closed form exists")
    verb.add_argument("--figure", help="write a figure: .html opens offline, .png and .svg need kaleido and Chromium")
    verb.add_argument("--json", help="write the errors at every lag")

    words = "a series of your own: is it fit for this, what is its score, how does it answer a push; a report of one page"
    verb = _verb(verbs, "analyse", _analyse, words)
    verb.add_argument("file", help=".npy, .npz, NetCDF (.nc) or .zarr")
    verb.add_argument("--axes", help="letters of the array's axes, in order: m member, t time, y and x space; where the file does not say")
    verb.add_argument("--every", type=float, help="sampling interval, in the time unit you want lags in; where the file has no times")
    verb.add_argument("--variable", help="which array of the file")
    verb.add_argument("--preset", choices=presets.PRESETS, default="quick")
    verb.add_argument("--lags", type=float, help="largest lag, in time units; twice the memory of the data by default")
    verb.add_argument("--level", type=float, default=0.90, help="of the bands")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--device", default="auto", help="auto, cpu or cuda")
    verb.add_argument("--force", action="store_true", help="go on although a check refuses the data; the report will say so")
    verb.add_argument("--out", required=True, help="folder for report.html, responses.npz, analysis.json, score-1, score-2")

    words = "simulate, fit, respond, perturb, compare; draw the letter's Figure 1; Ctrl-C or a crash: the same command goes on"
    verb = _verb(verbs, "figure1", _figure1, words)
    _add_systems(verb, seed=0)
    _add_changes(verb)
    verb.add_argument("--conditioned", action="store_true", help="learn a second score, given the hidden forcing, where there is one")
    verb.add_argument("--out", required=True, help="folder for figure1.html, figure1.png, responses.npz, metrics.json, score/")

    words = "make the learned scores and responses that travel with the package (20 min); goes on as figure1 does"
    verb = _verb(verbs, "assets", _assets, words)
    _add_systems(verb, **ASSETS_MADE)
    verb.add_argument("--out", default=shipped.ASSETS, help="an existing folder instead of the package's own assets")
    verb.set_defaults(set=[])

    verb = _verb(verbs, "bench", _bench, "measure what the project promises, on this machine (some 15 min)", writes=("json",))
    verb.add_argument("--only", choices=sorted(bench.GROUPS), help="one group of rows")
    verb.add_argument("--json", help="write the rows too")
    return parser


def _verb(verbs, name: str, run, words: str, *, makes: bool = False, writes: Sequence[str] = ()) -> argparse.ArgumentParser:
    """A verb that runs `run`; `makes` gives it an --out that is one file, `writes` names its other options that are files to write."""
    verb = verbs.add_parser(name, help=words, description=words)
    verb.set_defaults(run=run, writes=("out",) if makes else writes)
    if makes:
        verb.add_argument("--out", required=True, help=".npz file to write")
    return verb


def _add_system(verb: argparse.ArgumentParser, *, seed: int | None) -> None:
    verb.add_argument("--system", choices=sorted(experiments.SYSTEMS), required=True)
    _add_changes(verb)
    _add_run(verb, seed=seed)


def _add_systems(verb: argparse.ArgumentParser, *, seed: int, preset: str = "quick") -> None:
    verb.add_argument("--system", choices=sorted(experiments.SYSTEMS), action="append", help="may be repeated; all by default")
    verb.add_argument("--no-cache", action="store_true", help="compute all anew and keep nothing; else see GFDT_CACHE in the README")
    _add_run(verb, seed=seed, preset=preset)


def _add_changes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help="a parameter of the system; may be repeated")


def _add_run(verb: argparse.ArgumentParser, *, seed: int | None, preset: str = "quick") -> None:
    verb.add_argument("--preset", choices=presets.PRESETS, default=preset)
    verb.add_argument("--seed", type=int, default=seed)
    verb.add_argument("--device", default="auto", help="auto, cpu or cuda")


def _add_cluster(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--cluster", metavar="ADDRESS", help="of a dask.distributed scheduler, as tcp://host:8786, whose workers do it")


if __name__ == "__main__":
    sys.exit(main())
