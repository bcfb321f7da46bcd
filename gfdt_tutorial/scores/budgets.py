"""How much training each preset takes, in steps and never by the clock, and the network it trains. No system is named here."""

from dataclasses import dataclass, replace

from gfdt_tutorial.core import checks

NOISES = ("data", "white")
LARGEST_LEVEL = 20.0  # of σ, relative: noise beyond which a sample has forgotten the data


@dataclass(frozen=True)
class Budget:
    """What `fit_score` spends.

    Args:
        steps: of Adam.
        pairs: antithetic pairs a step.
        level: noise standard deviation σ relative to the data: to each wavevector's own for noise="data", to a pixel's for "white".
        noise: "data", with the spectrum of the data, so that every wavevector is equally resolved; or "white".
        kernels: side of each circular convolution; 1 mixes channels only. Their sum less their number, plus one, is the receptive field.
        width: channels.
        powers: p of the input channels Q^p w, Q being the spectrum of the data: the field ever smoother, to see far with small kernels.
        gated: hidden layers multiply one set of channels by the sigmoid of another, for fields whose local variance changes from place to
            place; else they bend one by SiLU.
        reach: in pixels, of the weight that evens out quiet and lively places in the antithetic loss; 0 for none.
        rate: Adam's learning rate at the start; it falls to zero along a cosine.
        filter_rate: the same for the spectral filter, whose parameters are logarithms.
        average: decay of the exponential moving average of the weights.
        check_every: steps between two looks at the validation loss.
        antithetic: False trains with the naive loss instead, to see what it costs.
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

    def __post_init__(self):
        for name in ("steps", "pairs", "width", "check_every"):
            object.__setattr__(self, name, checks.whole(name, getattr(self, name), minimum=1))
        for name in ("level", "rate", "filter_rate"):
            object.__setattr__(self, name, checks.positive(name, getattr(self, name)))
        checks.choice("noise", self.noise, NOISES)
        object.__setattr__(self, "average", checks.probability("average", self.average))
        if self.level >= LARGEST_LEVEL:
            raise ValueError(f"level is {self.level!r}; expected less than {LARGEST_LEVEL:g}, where no data are left under the noise")
        if isinstance(self.kernels, int) or not self.kernels:
            raise ValueError(f"kernels is {self.kernels!r}; expected one odd side a layer, such as (5, 1, 1)")
        object.__setattr__(self, "kernels", tuple(checks.whole("a kernel side", k, minimum=1) for k in self.kernels))
        if any(k % 2 == 0 for k in self.kernels):
            raise ValueError(f"kernels {self.kernels} has an even side; circular padding needs odd ones")


BUDGETS = {
    "tiny": Budget(steps=20, pairs=8, width=8, check_every=10),
    "quick": Budget(steps=300),
    "standard": Budget(steps=2000, pairs=64, average=0.995, check_every=100),
    "paper": Budget(steps=20_000, pairs=128, width=64, average=0.999, check_every=500),
}


WHITE = {"noise": "white", "level": 0.01, "kernels": (3, 1), "rate": 1e-2}  # lesson 04 has the measurements behind these
# to generate: noise still below the weakest wavevector, a view of neighbours' neighbours, and four times the steps of a quarter the size
WHITE_LEVELS = {"noise": "white", "level": 0.05, "kernels": (3, 3, 1), "rate": 4e-3}
INTERMITTENT = {"level": 0.05, "kernels": (7, 5, 5), "powers": (0.0, 0.5, 1.0, 1.5), "gated": True, "width": 24, "rate": 4e-3}
# steps, and reach: with few data better without; and 400 steps give a lower loss, but no better responses, than 200 (lesson 05)
INTERMITTENT_STEPS = {"tiny": (10, 0.0), "quick": (160, 0.0), "standard": (200, 2.0), "paper": (20_000, 2.0)}
WIDE = {"level": 0.05, "kernels": (7, 5, 1), "rate": 4e-3}  # lesson 07: on a ring whose sites act on the next but one
KINDS = ("data", "white", "intermittent")


def wide(budget: Budget) -> Budget:
    """The same with a network that sees five pixels to either side, and three times the steps that it needs."""
    return replace(budget, steps=3 * budget.steps, **WIDE)


def budget(preset: str = "quick", kind: str = "data", noise_levels: bool = False) -> Budget:
    """The budget of a preset, for one of three kinds of data and for one level or for all; `fit_score` chooses by looking at them.


        "data"           noise in the spectrum of the data: suits any
        "white"          white noise leaves the field as it is, so that a small network sees what is local in the density; it needs every
                         wavevector to stand well above the noise
        "intermittent"   noise in the spectrum of the data, and a network that sees far and adapts to how lively each place is: for fields
                         which are quiet here and wild there, such as turbulence

    Raises:
        ValueError: an unknown preset or kind.
    """
    found = BUDGETS[checks.choice("preset", preset, BUDGETS)]
    if checks.choice("kind", kind, KINDS) == "intermittent":
        (steps, reach), pairs, average = INTERMITTENT_STEPS[preset], min(found.pairs, 32), min(found.average, 0.98)
        return replace(found, steps=steps, reach=reach, pairs=pairs, average=average, **INTERMITTENT)
    if kind == "data":
        return found
    if not noise_levels:
        return replace(found, **WHITE)
    small = {"steps": 4 * found.steps, "pairs": found.pairs // 4, "check_every": 4 * found.check_every}
    return replace(found, **small, **WHITE_LEVELS, average=max(found.average, 0.99))
