"""What the project promises, measured on this machine. Speed is quoted as a ratio to a lower limit or to another package."""

from collections.abc import Callable

from gfdt_tutorial.bench import (
    allen_cahn,
    allen_cahn_constants,
    bands,
    calibration,
    combined,
    combined_coverage,
    cores,
    coverage,
    double_well,
    errors_multiply,
    figure1,
    forms,
    hidden_memory,
    kick_size,
    kubo,
    lessons,
    navier_stokes,
    navier_stokes_steps,
    ornstein_uhlenbeck,
    page,
    parameters,
    peers,
    response,
    response_lab,
    ring,
    suitability,
    training,
    vectors,
)
from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.core import checks

# These take minutes together.
EVERYDAY: dict[str, Callable[[], list[Row]]] = {
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
    "navier-stokes-step": navier_stokes_steps.step,
    "training-step": training.steps,
    "cores": cores.cores,
    "dense-matrices": response.dense,
    "growth-of-response": response.growth,
}
# These take long, write files, or need more than this package.
LONG: dict[str, Callable[[], list[Row]]] = {
    "peers": peers.peers,
    "allen-cahn-elsewhere": allen_cahn.elsewhere,
    "allen-cahn-generation": allen_cahn.generation,
    "allen-cahn-large": allen_cahn.large,
    "allen-cahn-standard": allen_cahn.standard,
    "allen-cahn-forms": forms.forms,
    "allen-cahn-limits": allen_cahn_constants.limits,
    "architectures": allen_cahn_constants.architectures,
    "bands": bands.coverage,
    "combined-coverage": combined_coverage.coverage,
    "combined-quick": combined.quick,
    "combined-standard": combined.standard,
    "coverage": coverage.coverage,
    "errors-multiply": errors_multiply.errors_multiply,
    "navier-stokes-standard": navier_stokes.standard,
    "navier-stokes-statistics": navier_stokes_steps.flow_statistics,
    "navier-stokes-frozen": navier_stokes.frozen,
    "navier-stokes-networks": navier_stokes.networks,
    "figure1-kills": figure1.kills,
    "ring": ring.ring,
    "response-lab": response_lab.response_lab,
    "parameters": parameters.parameter_responses,
    "calibration": calibration.recovery,
    "calibration-cost": calibration.cost,
    "kick-size": kick_size.kick_size,
    "kubo": kubo.letter,
    "kubo-at-rest": kubo.at_rest,
    "suitability": suitability.suitability,
    "hidden-memory": hidden_memory.power,
    "hidden-memory-fields": hidden_memory.fields,
    "hidden-memory-false-alarms": hidden_memory.false_alarms,
    "vectors": vectors.vectors,
    "lessons": lessons.lessons,
}
GROUPS = EVERYDAY | LONG


def run(only: str | None = None) -> list[Row]:
    """Measure one group, or all those of `EVERYDAY`; `GROUPS` names every group.

    Raises:
        ValueError: there is no group of that name.
    """
    chosen = EVERYDAY if only is None else (checks.choice("group", only, GROUPS),)
    return [row for name in chosen for row in page.stamped(GROUPS[name](), name)]


def table(rows: list[Row]) -> str:
    """The rows as text, one per line, with a mark where a bound is missed."""
    return "\n".join(f"{row.what:72} {row.value:10.4g} {row.unit:6} {row.verdict}" for row in rows)
