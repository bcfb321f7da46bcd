"""What the project promises, measured on this machine in one run. Speed is a ratio to a floor or a peer, never a bare time."""

from gfdt_tutorial.bench import (
    allen_cahn,
    bands,
    calibration,
    coverage,
    double_well,
    figure1,
    forms,
    hidden_memory,
    kubo,
    lessons,
    navier_stokes,
    ornstein_uhlenbeck,
    parameters,
    peers,
    response,
    response_lab,
    suitability,
    training,
)
from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.core import checks

GROUPS = {
    "double-well": double_well.accuracy,
    "accuracy": ornstein_uhlenbeck.accuracy,
    "learning": ornstein_uhlenbeck.learning,
    "double-well-slider": double_well.slider_latency,
    "slider-latency": ornstein_uhlenbeck.slider_latency,
    "simulation-over-floor": ornstein_uhlenbeck.simulation_over_floor,
    "growth-with-grid": ornstein_uhlenbeck.growth_with_grid,
    "allen-cahn": allen_cahn.accuracy,
    "allen-cahn-statistics": allen_cahn.statistics,
    "allen-cahn-step": allen_cahn.step,
    "navier-stokes": navier_stokes.quick,
    "navier-stokes-step": navier_stokes.step,
    "training-step": training.steps,
    "dense-matrices": response.dense,
    "growth-of-response": response.growth,
    "peers": peers.speed,
    "allen-cahn-elsewhere": allen_cahn.elsewhere,
    "allen-cahn-generation": allen_cahn.generation,
    "allen-cahn-large": allen_cahn.large,
    "allen-cahn-standard": allen_cahn.standard,
    "allen-cahn-forms": forms.forms,
    "allen-cahn-limits": allen_cahn.limits,
    "architectures": allen_cahn.architectures,
    "bands": bands.coverage,
    "coverage": coverage.coverage,
    "navier-stokes-standard": navier_stokes.standard,
    "navier-stokes-statistics": navier_stokes.flow_statistics,
    "navier-stokes-frozen": navier_stokes.frozen,
    "navier-stokes-networks": navier_stokes.networks,
    "figure1-kills": figure1.kills,
    "response-lab": response_lab.response_lab,
    "parameters": parameters.answers,
    "calibration": calibration.recovery,
    "calibration-cost": calibration.cost,
    "kubo": kubo.letter,
    "kubo-at-rest": kubo.at_rest,
    "suitability": suitability.suitability,
    "hidden-memory": hidden_memory.power,
    "hidden-memory-fields": hidden_memory.fields,
    "hidden-memory-false-alarms": hidden_memory.false_alarms,
    "lessons": lessons.lessons,
}
EVERYDAY = tuple(GROUPS)[:15]  # the others take long, write, or need more than this package


def run(only: str | None = None) -> list[Row]:
    """The rows of one group, or of all that take minutes; `GROUPS` says which there are."""
    chosen = EVERYDAY if only is None else (checks.choice("group", only, GROUPS),)
    return [row for name in chosen for row in GROUPS[name]()]


def table(rows: list[Row]) -> str:
    """The rows as text, one a line, with a mark for what misses its bound."""
    return "\n".join(f"{row.what:72} {row.value:10.4g} {row.unit:6} {row.verdict}" for row in rows)
