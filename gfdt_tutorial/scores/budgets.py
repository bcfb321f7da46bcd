"""How much training each preset takes, in steps and never by the clock, and the network that it trains. No system is named here."""

from dataclasses import dataclass, replace

from gfdt_tutorial.core import checks
from gfdt_tutorial.core.grid import PeriodicGrid

NOISES = ("data", "white")
LARGEST_LEVEL = 20.0  # of σ, relative: noise beyond which nothing is left of the data
KINDS = ("data", "white", "intermittent")
VALUES = 64  # pixels per field; smaller fields come in larger batches


@dataclass(frozen=True)
class Budget:
    """Steps, noise and network of a training.

    Args:
        steps: number of steps of Adam.
        pairs: antithetic pairs per step.
        level: noise standard deviation σ relative to the data: to each wavevector's own for noise="data", to that of a pixel for "white".
        noise: "data", with the spectrum of the data, so that every wavevector is equally resolved; or "white".
        kernels: the odd side of each circular convolution; 1 mixes channels only. The receptive field is their sum less their number,
            plus one.
        width: channels of each hidden layer.
        powers: p of the input channels Q^p w, where Q is the spectrum of the data. These are ever smoother fields, which let small kernels
            see far.
        gated: hidden layers multiply one set of channels by the sigmoid of another (GLU), for fields whose local variance changes from
            place to place; otherwise they apply SiLU.
        reach: in pixels, the range of the weight that balances quiet and variable places in the antithetic loss; 0 for none.
        rate: Adam's learning rate at the start, which falls to zero along a cosine.
        filter_rate: the same for the spectral filter, whose parameters are logarithms.
        average: decay of the exponential moving average of the weights.
        check_every: steps between two evaluations of the validation loss.
        antithetic: False trains with the naive loss instead, which shows what it costs.

    Raises:
        ValueError: a number out of range, an unknown noise, or kernels with an even side.
    """

    steps: int
    pairs: int = 32
    level: float = 0.15
    noise: str = "data"
    kernels: tuple[int, ...] = (5, 1, 1)
    width: int = 32
    powers: tuple[float, ...] = (0.0, 0.5)
    gated: bool = False
    reach: float = 0.0
    rate: float = 2e-3
    filter_rate: float = 2e-2
    average: float = 0.98
    check_every: int = 25
    antithetic: bool = True

    def __post_init__(self) -> None:
        for name in ("steps", "pairs", "width", "check_every"):
            object.__setattr__(self, name, checks.whole(name, getattr(self, name), minimum=1))
        for name in ("level", "rate", "filter_rate"):
            object.__setattr__(self, name, checks.positive(name, getattr(self, name)))
        checks.choice("noise", self.noise, NOISES)
        object.__setattr__(self, "average", checks.probability("average", self.average))
        if self.level >= LARGEST_LEVEL:
            raise ValueError(f"level is {self.level!r}; expected less than {LARGEST_LEVEL:g}, beyond which the noise hides the data")
        if isinstance(self.kernels, int) or not self.kernels:
            raise ValueError(f"kernels is {self.kernels!r}; expected one odd side per layer, such as (5, 1, 1)")
        object.__setattr__(self, "kernels", tuple(checks.whole("a kernel side", k, minimum=1) for k in self.kernels))
        if any(k % 2 == 0 for k in self.kernels):
            raise ValueError(f"kernels {self.kernels} has an even side; circular padding needs odd ones")


BUDGETS = {
    "tiny": Budget(steps=20, pairs=8, width=8, check_every=10),
    "quick": Budget(steps=300),
    "standard": Budget(steps=2000, pairs=64, average=0.995, check_every=100),
    "paper": Budget(steps=20_000, pairs=128, width=64, average=0.999, check_every=500),
}
# steps and reach: with few data, training is better without the weight; 400 steps give a lower loss than 200, but no better responses
INTERMITTENT_STEPS = {"tiny": (10, 0.0), "quick": (160, 0.0), "standard": (200, 2.0), "paper": (20_000, 2.0)}  # lesson 05


def budget(preset: str = "quick", *, kind: str = "data", noise_levels: bool = False) -> Budget:
    """The budget of a preset, for one of three kinds of data and for one noise level or all; `fit_score` chooses by looking at the data.

    Args:
        preset: "tiny", "quick", "standard" or "paper".
        kind:
            "data": noise with the spectrum of the data; suits any data.
            "white": white noise leaves the field as it is, so that a small network sees what is local in the density; it requires that
            the variance of every wavevector be well above that of the noise.
            "intermittent": noise with the spectrum of the data, and a network that sees far and adapts to the local variance, for fields
            such as turbulence, in which quiet and violent places alternate.
        noise_levels: whether the network is to know all noise levels.

    Raises:
        ValueError: an unknown preset or kind.
    """
    found = BUDGETS[checks.choice("preset", preset, BUDGETS)]
    if checks.choice("kind", kind, KINDS) == "intermittent":
        return _intermittent(found, *INTERMITTENT_STEPS[preset])
    if kind == "data":
        return found
    return _white_for_all_levels(found) if noise_levels else _white(found)


COMPONENTS = {
    "tiny": Budget(steps=20, pairs=256, width=8, check_every=10),
    "quick": Budget(steps=4000, pairs=1024, width=96, average=0.995, check_every=200),
    "standard": Budget(steps=12_000, pairs=1024, width=96, average=0.998, check_every=500),
    "paper": Budget(steps=20_000, pairs=2048, width=128, average=0.999, check_every=500),
}


def component_budget(preset: str = "quick", grid: PeriodicGrid | None = None) -> Budget:
    """The budget of a preset for unlike variables, with the noise level from which the search starts.

    Without space it has four hidden layers; width, layers and rate were chosen by the held-out loss on Lorenz 63. On a ring kernels, width
    and steps were chosen by that on the two-scale Lorenz 96 with noise; in a plane they are those of one field.

    Raises:
        ValueError: an unknown preset.
    """
    found = COMPONENTS[checks.choice("preset", preset, COMPONENTS)]
    if grid is not None and grid.shape:
        found = budget(preset)
        if len(grid.shape) == 1:
            found = replace(wide(found), steps=9 * found.steps, width=2 * found.width, kernels=(5, 3, 1))
        return suited_to(replace(found, level=0.1), grid)
    return replace(found, level=0.1, kernels=(1, 1, 1, 1), rate=1e-2)


FORECAST_STEPS = {"tiny": 20, "quick": 400, "standard": 1500, "paper": 10_000}


def forecast_budget(preset: str, grid: PeriodicGrid, *, intermittent: bool) -> Budget:
    """The budget of a preset for the network of a forecast, one that multiplies what it sees.

    Args:
        intermittent: whether quiet and violent places alternate, as in turbulence; the network then sees farther.

    Raises:
        ValueError: an unknown preset.
    """
    steps = FORECAST_STEPS[checks.choice("preset", preset, FORECAST_STEPS)]
    tiny = preset == "tiny"
    budget = Budget(
        steps=steps,
        pairs=8 if tiny else 32,
        kernels=(7, 5, 5) if intermittent else (5, 3, 3),
        width=8 if tiny else 24 if intermittent else 16,
        powers=(0.0, 0.5, 1.0, 1.5),
        gated=True,
        rate=4e-3,
        check_every=10 if tiny else 50,
    )
    return suited_to(budget, grid)


def suited_to(budget: Budget, grid: PeriodicGrid) -> Budget:
    """The budget for fields of a given size: small ones, and single numbers, come in larger batches, and no kernel is wider than once round
    the box."""
    kernels = tuple(min(k, 2 * min(grid.shape) + 1) for k in budget.kernels) if grid.shape else budget.kernels
    return replace(budget, pairs=budget.pairs * max(1, VALUES // grid.size), kernels=kernels)


def wide(budget: Budget) -> Budget:
    """The budget of a network that sees five pixels to either side, with the three times as many steps that it needs.

    Lesson 07 uses it, on a ring whose sites interact with their second neighbours.
    """
    return replace(budget, steps=3 * budget.steps, level=0.05, kernels=(7, 5, 1), rate=4e-3)


def _white(budget: Budget) -> Budget:
    """Lesson 04 has the measurements behind these numbers."""
    return replace(budget, noise="white", level=0.01, kernels=(3, 1), rate=1e-2)


def _white_for_all_levels(budget: Budget) -> Budget:
    """For generation: noise below the weakest wavevector, a view of second neighbours, and four times as many steps, each of a quarter."""
    return replace(
        budget,
        steps=4 * budget.steps,
        pairs=budget.pairs // 4,
        check_every=4 * budget.check_every,
        noise="white",
        level=0.05,
        kernels=(3, 3, 1),
        rate=4e-3,
        average=max(budget.average, 0.99),
    )


def _intermittent(budget: Budget, steps: int, reach: float) -> Budget:
    return replace(
        budget,
        steps=steps,
        reach=reach,
        pairs=min(budget.pairs, 32),
        average=min(budget.average, 0.98),
        level=0.05,
        kernels=(7, 5, 5),
        powers=(0.0, 0.5, 1.0, 1.5),
        gated=True,
        width=24,
        rate=4e-3,
    )
