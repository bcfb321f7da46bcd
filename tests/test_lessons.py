"""Every lesson from a fresh kernel, top to bottom: what its cells promise; and the rhythm that all lessons share."""

import re
from pathlib import Path

import nbformat
import pytest

from gfdt_tutorial.bench.lessons import execute, printed
from gfdt_tutorial.course.exercises import EXERCISES

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
EVERY = sorted(NOTEBOOKS.glob("*.ipynb"))
LESSONS = [path for path in EVERY if path.stem[0].isdigit()]  # the others: notation, glossary and references; the quiz

HEADINGS = ("The question", "Bet first", "Derive", "Check", "Explore", "Exercises", "What this lesson does not show", "Summary")

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)


def source(path) -> str:
    """All text of a notebook."""
    return "\n\n".join(cell.source for cell in read(path) if cell.cell_type == "markdown")


def read(path) -> list:
    return nbformat.read(path, as_version=4).cells


# As they run


@pytest.mark.slow
@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_a_lesson_keeps_its_promises(path):
    """Every cell runs; every stub says that it was not attempted, and every solution passes. Time and memory: `bench --only lessons`."""
    if "from reservoirpy" in path.read_text(encoding="utf-8"):
        pytest.importorskip("reservoirpy", reason="pip install 'gfdt-tutorial[data]'")
    done = execute(path)
    print(f"\n{path.stem}: {done.seconds:.0f} s, peak {done.peak_mb:.0f} MB, {done.held_mb:.0f} MB held after it")
    code = [cell for cell in done.notebook.cells if cell.cell_type == "code" and "check(" in cell.source]
    solutions = [cell for cell in code if "solution" in cell.metadata.get("tags", [])]
    stubs = [cell for cell in code if cell not in solutions]
    assert all("passed." in printed(cell) and cell.metadata["jupyter"]["source_hidden"] for cell in solutions)
    assert all("not attempted yet" in printed(cell) for cell in stubs)


# As they are written


@each_lesson
def test_a_lesson_opens_with_goals_minutes_and_needs(lesson):
    first = read(lesson)[0].source
    assert re.match(rf"# {lesson.stem[:2]} · ", first)
    for part in (r"\*\*You will\*\*", r"\*\*Time\*\* \d+ minutes\.", r"\*\*Runs in\*\*", r"\*\*Needs\*\*"):
        assert len(re.findall(part, first)) == 1, part
    assert "(notation_and_glossary.ipynb)" in first


@each_lesson
def test_a_lesson_has_the_rhythm_of_all(lesson):
    """A heading may say more than its first word; those between the first `Derive` and the end are as the lesson needs them."""
    found = re.findall(r"^## (.+)", source(lesson), re.MULTILINE)
    places = [next((i for i, each in enumerate(found) if re.match(rf"{name}\b", each)), None) for name in HEADINGS]
    assert None not in places, f"no {HEADINGS[places.index(None)]!r} among {found}"
    assert places == sorted(places), found
    assert len(re.findall(r"^\d\. ", source(lesson).split("## Summary")[1], re.MULTILINE)) == 3
    assert re.search(r"^\*\*Next:\*\* ", source(lesson), re.MULTILINE)


@each_lesson
def test_a_lesson_has_three_exercises_or_more_each_with_stub_checker_and_folded_solution(lesson):
    code = [cell for cell in read(lesson) if cell.cell_type == "code" and "check(" in cell.source]
    numbers = {kind: [] for kind in ("stub", "solution")}
    for cell in code:
        kind = "solution" if "solution" in cell.metadata.get("tags", []) else "stub"
        numbers[kind] += re.findall(r'check\("([^"]+)"', cell.source)
        assert kind == "stub" or cell.metadata["jupyter"]["source_hidden"]
    wanted = [f"{lesson.stem[:2]}.{n + 1}" for n in range(len(numbers["stub"]))]
    assert numbers["stub"] == numbers["solution"] == wanted
    assert len(wanted) >= 3 and set(wanted) <= set(EXERCISES)
    assert all(f"**{number}** " in source(lesson) for number in wanted)


def test_exercises_are_those_of_the_lessons():
    asked = re.findall(r'check\("([^"]+)"', "".join(cell.source for path in LESSONS for cell in read(path) if cell.cell_type == "code"))
    assert set(asked) == set(EXERCISES)
    assert len([number for number in EXERCISES if number < "09"]) >= 27


def test_a_confidence_interval_is_not_called_a_probability_of_the_truth():
    """A 90 % band covers the truth in 90 % of repetitions; the truth itself does not vary."""
    package = [path.read_text(encoding="utf-8") for path in (NOTEBOOKS.parent / "gfdt_tutorial").rglob("*.py")]
    pages = [source(path) for path in EVERY] + [(NOTEBOOKS.parent / "README.md").read_text(encoding="utf-8"), *package]
    wrong = r"with a (given )?probability|nine points in ten of the truth|probability of 90"
    found = [match[0] for page in pages for match in re.finditer(rf".{{40}}(?:{wrong}).{{40}}", page, re.DOTALL)]
    assert all("does not say" in match for match in found), found
    glossary = source(NOTEBOOKS / "notation_and_glossary.ipynb")
    assert all(f"**{word}** |" in glossary for word in ("confidence interval", "raw", "normalised", "controlled"))


def test_the_quiz_asks_twenty_four_questions_and_folds_each_answer():
    cells = read(NOTEBOOKS / "quiz.ipynb")
    computed = [cell for cell in cells if cell.cell_type == "code" and re.search(r"^answer\(", cell.source, re.MULTILINE)]
    assert all(cell.metadata["jupyter"]["source_hidden"] for cell in computed)
    marks = re.findall(r"^\*\*\d+\.\*\*|^<details>|^answer\(", "\n".join(cell.source for cell in cells), re.MULTILINE)
    assert [mark.strip("*.") for mark in marks[::2]] == [str(n) for n in range(1, 25)]
    assert len(marks) == 48 and not any(mark.startswith("**") for mark in marks[1::2])


def test_references_are_numbered_and_each_citation_leads_to_one():
    listed = re.findall(r"^\[(\d+)\] ", source(NOTEBOOKS / "notation_and_glossary.ipynb"), re.MULTILINE)
    assert [int(number) for number in listed] == list(range(1, len(listed) + 1))
    for path in EVERY:
        cited = {number for group in re.findall(r"\[(\d+(?:, \d+)*)\](?!\()", source(path)) for number in group.split(", ")}
        assert cited <= set(listed), path.name


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", source(path))
    assert [link for link in links if not (NOTEBOOKS / link).exists()] == []


def test_every_lesson_says_how_to_free_the_memory():
    for path in EVERY:
        assert "Shut Down Kernel" in read(path)[-1].source, path.name
