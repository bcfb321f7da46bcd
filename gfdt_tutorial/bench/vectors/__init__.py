"""Unlike variables against closed forms, quadratures and twins: three seeds of each system, of which the worst is reported."""

from gfdt_tutorial.bench.rows import Row
from gfdt_tutorial.bench.vectors import atmosphere, chain, channel, cubic, links, lorenz, rivals, triad, two_scales


def vectors() -> list[Row]:
    """All systems; more than an hour on two cores, most of it for truths."""
    return [
        *chain.chain(),
        *cubic.responses(),
        *cubic.table_one(),
        *cubic.recovery(),
        *triad.triad(),
        *lorenz.lorenz(),
        *lorenz.nearly_deterministic(),
        *links.links(),
        *atmosphere.charney_devore_model(),
        *two_scales.two_scales(),
        *channel.channel(),
        *rivals.rivals(),
    ]
