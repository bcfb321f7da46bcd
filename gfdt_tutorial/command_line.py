"""What can be said on the command line: every verb with its options."""

import argparse
from collections.abc import Sequence
from typing import TextIO

from gfdt_tutorial import bench
from gfdt_tutorial.core.progress import say
from gfdt_tutorial.experiments import shipped
from gfdt_tutorial.responses.kicked_twins import KICK_KINDS
from gfdt_tutorial.responses.response import FORMS
from gfdt_tutorial.responses.symmetries import SYMMETRIES
from gfdt_tutorial.systems.built_in import SYSTEMS
from gfdt_tutorial.systems.sizes import PRESETS

WHICH = f"{', '.join(sorted(SYSTEMS))}, or one of your own as module:Class or file.py:Class"
ASSETS_MADE = {"preset": "standard", "seed": 0}


class _Parser(argparse.ArgumentParser):
    """Its help is printed as everything else is."""

    def print_help(self, file: TextIO | None = None) -> None:
        say(self.format_help().rstrip("\n"), file)


def parser() -> argparse.ArgumentParser:
    """Of all verbs; what it finds has the verb as `verb`, and the names of the options that are files to write as `writes`."""
    found = _Parser(prog="python -m gfdt_tutorial", description="Response theory via generative score modelling.")
    verbs = found.add_subparsers(required=True, metavar="VERB")

    verb = _verb(verbs, "simulate", "an undisturbed, stationary ensemble", makes=True)
    _add_system(verb, seed=0)
    for name, words in (("members", "independent runs"), ("duration", "time from first to last sample"), ("every", "sampling interval")):
        verb.add_argument(f"--{name}", type=int if name == "members" else float, help=f"{words}; the preset's by default")

    verb.add_argument("--context", action="store_true", help="keep the hidden forcing of a system that has one")
    _add_cluster(verb)

    verb = _verb(verbs, "fit-score", "learn the score of an undisturbed series; Ctrl-C keeps a checkpoint, the same command goes on")
    verb.add_argument("series", help="an .npz with the keys u, times, axes")
    verb.add_argument("--preset", choices=PRESETS, default="quick")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--noise-levels", action="store_true", help="know all noise levels, to generate")
    verb.add_argument("--context", action="store_true", help="give the network the context of the series")
    verb.add_argument("--device", default="auto", help="auto, cpu or cuda")
    verb.add_argument("--out", required=True, help="folder for weights.safetensors and score.json")

    verb = _verb(verbs, "respond", "the response, from an undisturbed series and a score", makes=True)
    verb.add_argument("series", help="an .npz with the keys u, times, axes")
    words = "gaussian, analytic (only for a series made by `simulate`), or a folder written by fit-score"
    verb.add_argument("--score", default="gaussian", help=words)
    verb.add_argument("--lags", type=float, default=90.0, help="largest lag, in time units")
    words = "raw, normalised: R(t) R(0)⁻¹, or controlled: with the Gaussian response as a control variate"
    verb.add_argument("--form", choices=FORMS, default="raw", help=words)
    verb.add_argument("--symmetry", action="append", default=[], choices=SYMMETRIES, help="average over it; may be repeated")
    verb.add_argument("--confidence", type=float, default=0.90, help="of the band")

    verb = _verb(verbs, "perturb", "the truth, from kicked twins", makes=True)
    _add_system(verb, seed=1)
    for name, kind, words in (("lags", float, "largest lag"), ("pairs", int, "kicked pairs"), ("every", float, "spacing of the lags")):
        verb.add_argument(f"--{name}", type=kind, help=f"{words}; the preset's by default")
    verb.add_argument("--kick", choices=KICK_KINDS, default="pixel")
    verb.add_argument("--amplitude", type=float, help="of the kick, in units of the field; the preset's by default")
    _add_cluster(verb)

    words = "the long reference truth (minutes to an hour); Ctrl-C keeps a checkpoint, the same command goes on"
    verb = _verb(verbs, "truth", words, writes=("out", "checkpoint"))
    _add_system(verb, seed=None)
    verb.add_argument("--pairs", type=int, help="kicked pairs; those of the shipped truth by default")
    verb.add_argument("--checkpoint", help="file to go on from; SYSTEM-truth.checkpoint.npz by default")
    verb.add_argument("--out", help="an .npz instead of the package's own assets")
    _add_cluster(verb)

    verb = _verb(verbs, "compare", "errors of responses against a truth", writes=("json", "figure"))
    verb.add_argument("answers", nargs="+", help=".npz files written by respond")
    verb.add_argument("--truth", required=True, help="an .npz written by perturb, or the word exact where a closed form exists")
    verb.add_argument("--figure", help="write a figure: .html opens offline, .png and .svg need kaleido and Chromium")
    verb.add_argument("--json", help="write the errors at every lag")

    words = "a series of your own: is it fit for this, what is its score, how does it answer a push; a report of one page"
    verb = _verb(verbs, "analyse", words)
    verb.add_argument("file", help=".npy, .npz, NetCDF (.nc) or .zarr")
    verb.add_argument("--axes", help="letters of the array's axes, in order: m member, t time, y and x space; where the file does not say")
    verb.add_argument("--every", type=float, help="sampling interval, in the time unit you want lags in; where the file has no times")
    verb.add_argument("--variable", help="which array of the file")
    verb.add_argument("--preset", choices=PRESETS, default="quick")
    verb.add_argument("--lags", type=float, help="largest lag, in time units; twice the memory of the data by default")
    verb.add_argument("--confidence", type=float, default=0.90, help="of the bands")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--device", default="auto", help="auto, cpu or cuda")
    words = "a likely season, in time units, to test for before all periods are searched; may be repeated"
    verb.add_argument("--period", type=float, action="append", default=[], help=words)
    verb.add_argument("--deseasonalise", type=float, metavar="PERIOD", help="take off the mean cycle of this period, in time units, first")
    verb.add_argument("--detrend", action="store_true", help="take off a straight line first")
    verb.add_argument("--centre-members", action="store_true", help="take off the differences between the means of members first")
    verb.add_argument("--force", action="store_true", help="go on although a check refuses the data; the report will say so")
    verb.add_argument("--out", required=True, help="folder for report.html, responses.npz, analysis.json, score-1, score-2")

    words = "simulate, fit, respond, perturb, compare; draw the letter's Figure 1; Ctrl-C or a crash: the same command goes on"
    verb = _verb(verbs, "figure1", words)
    _add_systems(verb, seed=0)
    _add_changes(verb)
    verb.add_argument("--conditioned", action="store_true", help="learn a second score, given the hidden forcing, where there is one")
    verb.add_argument("--out", required=True, help="folder for figure1.html, figure1.png, responses.npz, metrics.json, score/")

    words = "make the learned scores and responses that travel with the package (20 min); goes on as figure1 does"
    verb = _verb(verbs, "assets", words)
    _add_systems(verb, **ASSETS_MADE)
    verb.add_argument("--out", default=shipped.ASSETS, help="an existing folder instead of the package's own assets")
    verb.set_defaults(set=[])

    verb = _verb(verbs, "bench", "measure what the project promises, on this machine (some 15 min)", writes=("json",))
    verb.add_argument("--only", choices=sorted(bench.GROUPS), help="one group of rows")
    verb.add_argument("--json", help="write the rows too")
    return found


def _verb(verbs, name: str, words: str, *, makes: bool = False, writes: Sequence[str] = ()) -> argparse.ArgumentParser:
    """A verb; `makes` gives it an --out that is one file, `writes` names its other options that are files to write."""
    verb = verbs.add_parser(name, help=words, description=words)
    verb.set_defaults(verb=name, writes=("out",) if makes else writes)
    if makes:
        verb.add_argument("--out", required=True, help=".npz file to write")
    return verb


def _add_system(verb: argparse.ArgumentParser, *, seed: int | None) -> None:
    verb.add_argument("--system", required=True, help=WHICH)
    _add_changes(verb)
    _add_run(verb, seed=seed)


def _add_systems(verb: argparse.ArgumentParser, *, seed: int, preset: str = "quick") -> None:
    verb.add_argument("--system", action="append", help=f"{WHICH}; may be repeated; all of these by default")
    verb.add_argument("--no-cache", action="store_true", help="compute all anew and keep nothing; else see GFDT_CACHE in the README")
    _add_run(verb, seed=seed, preset=preset)


def _add_changes(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help="a parameter of the system; may be repeated")


def _add_run(verb: argparse.ArgumentParser, *, seed: int | None, preset: str = "quick") -> None:
    verb.add_argument("--preset", choices=PRESETS, default=preset)
    verb.add_argument("--seed", type=int, default=seed)
    verb.add_argument("--device", default="auto", help="auto, cpu or cuda")


def _add_cluster(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--cluster", metavar="ADDRESS", help="of a dask.distributed scheduler, as tcp://host:8786, whose workers do it")
