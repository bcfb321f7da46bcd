"""Unlike variables against closed forms, quadratures and twins: three seeds of each system, of which the worst is reported."""

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.bench.vectors import chain, cubic, lorenz, triad


def vectors() -> list[Row]:
    """All systems; a quarter of an hour, most of it for truths."""
    return [
        *chain.chain(),
        *cubic.responses(),
        *cubic.table_one(),
        *cubic.recovery(),
        *triad.triad(),
        *lorenz.lorenz(),
        *lorenz.nearly_deterministic(),
    ]
