"""The measured rows as a JSON file that grows group by group, and as the page docs/benchmarks.md, which is written from that file."""

import datetime
import json
import math
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import torch

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.core import storage

PAGE_OF = "benchmarks.json"  # a file of this name has a page benchmarks.md beside it
HEAD = """# Benchmarks

What this project promises, as measured. `python -m gfdt_tutorial bench --only GROUP --json docs/benchmarks.json` measures one group and
writes this page anew from that file; nobody edits it by hand. Speed is quoted as a ratio to a lower limit or to another package wherever
possible, since bare times depend on the machine.
"""

Groups = Mapping[str, Callable[..., list[Row]]]


def stamped(rows: Iterable[Row], group: str) -> list[Row]:
    """The rows with their group, the date and the machine."""
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    machine = f"{os.cpu_count()} cores ({_processor()}), torch {torch.__version__}"
    return [replace(row, group=group, date=date, machine=machine) for row in rows]


def _processor() -> str:
    """The name of the processor, where the operating system tells it; otherwise the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def read(path: str | Path) -> list[Row]:
    """The rows that a file holds; none if there is no such file.

    Raises:
        ValueError: the file was not written by `save`.
    """
    if not Path(path).exists():
        return []
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(found, list):
            raise TypeError("no list of rows")
        return [Row(**row | {"value": float(row["value"])}) for row in found]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} does not hold rows of `bench` ({error}); name another file, or delete this one") from error


def merged(known: Iterable[Row], measured: Iterable[Row]) -> list[Row]:
    """The known rows, where each group that was measured again is replaced as a whole."""
    measured = list(measured)
    fresh = {row.group for row in measured}
    return [row for row in known if row.group not in fresh] + measured


def save(path: str | Path, measured: Iterable[Row], groups: Groups) -> list[Path]:
    """Merge newly measured rows into a file; a file named benchmarks.json has its page rewritten beside it.

    Args:
        path: a JSON file, new or written by this function.
        measured: rows with their group.
        groups: every group that there is, for the page.

    Returns:
        The files written.
    """
    rows = merged(read(path), measured)
    saved = [storage.save_json(path, [asdict(row) | {"value": _json_number(row.value)} for row in rows])]
    if Path(path).name == PAGE_OF:
        text = page(rows, groups)
        saved.append(storage.write(Path(path).with_suffix(".md"), lambda file: file.write(text.encode())))
    return saved


def page(rows: Iterable[Row], groups: Groups) -> str:
    """Markdown: one table per group, in the order of `groups`, and a list of the groups that were not measured.

    Args:
        rows: with their group.
        groups: name → function that measures it; the first line of its docstring describes the group.
    """
    by_group: dict[str, list[Row]] = {}
    for row in rows:
        by_group.setdefault(row.group, []).append(row)
    measured = [_section(name, by_group[name], groups[name]) for name in groups if name in by_group]
    missing = [f"- `{name}`: {_described(measure)}" for name, measure in groups.items() if name not in by_group]
    ending = "\n## Not measured yet on this version\n\n" + "\n".join(missing) + "\n" if missing else ""
    return HEAD + "".join(measured) + ending


def _section(name: str, rows: list[Row], measure: Callable[..., list[Row]]) -> str:
    origin = f"`python -m gfdt_tutorial bench --only {name}`, {rows[0].date}, {rows[0].machine}."
    table = ["| what | measured | bound | met |", "|---|---|---|---|", *map(_line, rows)]
    return f"\n## {name}\n\n{_described(measure)}\n\n{origin}\n\n" + "\n".join(table) + "\n"


def _line(row: Row) -> str:
    what = row.what.strip().replace("|", "\\|")
    indented = ("&emsp;" if row.what.startswith(" ") else "") + what
    met = {None: "", True: "yes", False: "**no**"}[row.met]
    value = f"{row.value:.4g}".replace("nan", "–").replace("inf", "∞")
    return f"| {indented} | {f'{value} {row.unit}'.strip()} | {row.limit} | {met} |"


def _json_number(value: float) -> float | str:
    """The number, or "nan" or "inf", for which JSON has no number."""
    return value if math.isfinite(value) else str(value)


def _described(measure: Callable[..., list[Row]]) -> str:
    return (measure.__doc__ or "").strip().partition("\n")[0]
