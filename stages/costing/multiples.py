"""Which multiples of channels pay: widths that are none save no time against the next that is."""

from collections.abc import Mapping
from math import gcd

from stages.dependency.graph import Graph, Group

COARSEST = 16
FINER = (1, 2, 4, 8)
PAYS = 0.05  # of the time: so far above the line between coarse multiples must finer ones lie
MATTERS = 0.02  # of all layers' time that a group's must take


def multiple_that_pays(macs: Mapping[int, int], times: Mapping[int, float]) -> int:
    """The finest multiple from which on widths take no longer than they should.

    Both are of networks whose widths are multiples of a number and of none coarser; 0 stands for
    multiples of the coarsest with fewer channels than all others. Times should lie on the line over
    multiply-accumulates from there to the coarsest; what is above by a share `PAYS` does not pay.
    """
    slope = (times[COARSEST] - times[0]) / max(macs[COARSEST] - macs[0], 1)
    line = {m: times[0] + slope * (macs[m] - macs[0]) for m in FINER}
    dear = [m for m in FINER if times[m] > (1 + PAYS) * line[m]]
    return 2 * max(dear, default=0) or 1


def width_at(group: Group, multiple: int) -> int:
    """About half of a group's units, such that its channels are a multiple of just `multiple`.

    For 0, the next coarse multiple below those of all others. Groups too small for that have the
    nearest that they can.
    """
    coarsest = units_in(group, COARSEST)
    upper = min(group.units, coarsest * max(2, -(-group.units // (2 * coarsest))))
    if multiple == 0:
        return max(1, upper - coarsest)
    finer = units_in(group, multiple)
    return max(1, upper if finer == coarsest else upper - finer)


def units_in(group: Group, multiple: int) -> int:
    """How many units are a multiple of channels, at most half of the group's.

    A unit may own several channels of an axis: of the axes, the least aligned counts.
    """
    each = [part.indices.shape[1] for part in group.slices]
    units = max(multiple // gcd(multiple, n) for n in each)
    while 2 * units > group.units and units > 1:
        units //= 2
    return units


def multiples_of(graph: Graph, multiple: int, part: Mapping[str, float]) -> dict[str, int]:
    """The multiple of units that each group should go in, where `multiple` channels pay.

    `part` is what share of the time is of a group's layers; the units of groups that hardly matter
    go one by one.
    """
    return {
        group.name: units_in(group, multiple) if part[group.name] >= MATTERS else 1
        for group in graph.groups
    }
