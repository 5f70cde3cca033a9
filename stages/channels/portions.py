"""What removal takes at a time, and in which order."""

import fnmatch
import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Literal

import numpy as np

from stages.channels.sensitivity import Curve
from stages.dependency.graph import Graph, Group
from stages.networks.indices import Indices

if TYPE_CHECKING:  # it imports torch, which takes longer than all that `schedule` does
    from stages.channels.importance import Importance


@dataclass(frozen=True)
class Limits:
    """What choosing must respect.

    `scope` global lets groups compete; local takes the same share of each; sensitivity lets them
    compete by what `curves` say that narrowing each costs, where there are any. No group keeps
    fewer than `minimum` units, and what goes goes in multiples of `round_to`, one for all groups or
    one of each by name (the first removal also takes the odd rest). Groups that own a slice of a
    layer matching a pattern in `protect` stay.
    """

    scope: Literal["global", "local", "sensitivity"] = "global"
    minimum: int = 1
    round_to: int | Mapping[str, int] = 1
    protect: tuple[str, ...] = ()
    curves: Mapping[str, Curve] = field(default_factory=dict)

    def finer(self) -> "Limits | None":
        """The same with multiples of groups halved; None where they are all 1, or one number."""
        if isinstance(self.round_to, int) or max(self.round_to.values(), default=1) == 1:
            return None
        halved = {group: max(1, multiple // 2) for group, multiple in self.round_to.items()}
        return replace(self, round_to=halved)

    def multiple(self, group: str) -> int:
        """The multiple that units of a group go in."""
        return self.round_to if isinstance(self.round_to, int) else self.round_to.get(group, 1)


@dataclass(frozen=True)
class Portion:
    """Units of a group that go together: `left` stay when they are gone, `loss` is their worth.

    `key` is the rank of the most important of them; in scope local the share that is gone then, and
    in scope sensitivity what the group costs then.
    """

    key: float
    loss: float
    group: Group
    units: Indices
    left: int

    @property
    def share_before(self) -> float:
        """Share of the group's units that is gone before this portion goes."""
        return 1 - (self.left + len(self.units)) / self.group.units


def portions_of(graph: Graph, importance: "Importance", limits: Limits) -> list[Portion]:
    """All that may go, by rising key; of a group in rising importance."""
    found = [
        portion
        for group in graph.groups
        if not is_protected(group, limits.protect)
        for portion in _of_group(group, importance, limits)
    ]
    return sorted(found, key=lambda portion: portion.key)


def _of_group(group: Group, importance: "Importance", limits: Limits) -> Iterator[Portion]:
    values, multiple, start = importance[group.name], limits.multiple(group.name), 0
    order = np.argsort(values, kind="stable")
    while start < group.units:
        size = (group.units - start) % multiple or multiple
        units, left = order[start : start + size], group.units - start - size
        if left < limits.minimum:
            return
        start += size
        key, loss = float(values[units].max()), float(values[units].sum())
        if limits.scope == "local":
            key = start / group.units
        elif group.name in limits.curves:
            key = limits.curves[group.name].at(left)
        yield Portion(key, loss, group, units, left)


def by_loss_per_cost(
    portions: Sequence[Portion], freed: Callable[[Portion], float]
) -> Iterator[Portion]:
    """Portions as they should go where what they free differs: the least loss for it first.

    `freed` is asked when a portion's turn has come, and may fall as others go; of a group, the
    order stays. What frees nothing goes last.
    """
    waiting = dict[str, list[Portion]]()
    for portion in reversed(portions):
        waiting.setdefault(portion.group.name, []).append(portion)

    def rate(portion: Portion) -> float:
        gain = freed(portion)
        return portion.loss / gain if gain > 0 else inf

    heap = [(rate(several[-1]), name) for name, several in waiting.items()]
    heapq.heapify(heap)
    while heap:
        _, name = heapq.heappop(heap)
        now = rate(waiting[name][-1])
        if heap and now > heap[0][0]:
            heapq.heappush(heap, (now, name))
            continue
        yield waiting[name].pop()
        if waiting[name]:
            heapq.heappush(heap, (rate(waiting[name][-1]), name))


def is_protected(group: Group, patterns: Sequence[str]) -> bool:
    """Whether the group owns a slice of a tensor whose layer or full name matches a pattern."""
    return any(
        fnmatch.fnmatchcase(name, pattern)
        for part in group.slices
        for name in (part.tensor, part.tensor.rpartition(".")[0])
        for pattern in patterns
    )
