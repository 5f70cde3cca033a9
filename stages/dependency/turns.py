"""Trials of code that takes another way at other widths, such as that of another layer.

Trials at any widths miss what happens at some alone. A turn is a comparison in the code that is
answered otherwise once some units are gone; each is tried at widths at which it is.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np

from stages.dependency.answers import Left, Turn, turns
from stages.dependency.graph import Group
from stages.dependency.trials import Trials

TURNS = "removing it changes what the network computes: code takes another way at other widths"

Failed = dict[str, str]  # the reason, by group name


def turning(groups: Sequence[Group], trials: Trials, proven: bool) -> Failed:
    """Some of those that must stay for code that takes another way at other widths, if any must.

    Unless the groups have passed trials of their own (`proven`), what fails just as well at widths
    at which the answer is the same is none of these. Comparisons of one place in the code, as in
    equal blocks, are tried at once and judged as one.
    """
    by_place: dict[object, list[Turn]] = defaultdict(list)
    for turn in turns(trials.asked, groups, trials.traced.nodes, trials.parts):
        if proven or turn.control:
            by_place[turn.comparison.place].append(turn)
    for found in by_place.values():
        while found:
            tried, turned = _together(found, "turned")
            if _fails(turned, groups, trials):
                _, control = _together(tried, "control")
                if proven or not _fails(control, groups, trials):
                    return {turn.stopped_by: TURNS for turn in tried}
            found = [turn for turn in found if turn not in tried]
    return {}


def _together(
    found: Sequence[Turn], which: Literal["turned", "control"]
) -> tuple[list[Turn], dict[str, int]]:
    """Turns that agree on what is left of groups they share, from the first on; and what it is."""
    left: dict[str, int] = {}
    tried = []
    for turn in found:
        own = getattr(turn, which)
        if all(left.get(name, count) == count for name, count in own.items()):
            left |= own
            tried.append(turn)
    return tried, left


def _fails(left: Left, groups: Sequence[Group], trials: Trials) -> bool:
    gone = {g.name: np.arange(left[g.name], g.units) for g in groups if g.name in left}
    return trials.together(gone) is not None
