"""Telling groups that may be removed, all of them together, from those that may not."""

import re
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stages.dependency.graph import Group, Removed
from stages.dependency.trials import Problem

Try = Callable[[Removed], Problem | None]
Failed = dict[str, str]  # the reason, by group name

LEFT = 2  # units that a trial leaves, at least, where there are more: one alone has no neighbour


def sift(groups: Sequence[Group], problem: Try) -> tuple[list[Group], Failed]:
    """Groups that may be removed in any number, and why the others may not.

    `problem` says what is wrong without some units. A trial removes from all groups at once,
    another share from each, or from every second group; where it fails, those that own tensors
    near the place are tried one by one.
    """
    failed = {g.name: "removing it would leave a layer empty" for g in groups if g.units < 2}
    again = True
    while again:
        again = False
        for number, (trial, part) in enumerate(TRIALS):
            taking = [g for place, g in enumerate(groups) if part in (None, place % 2)]
            while found := _failing([g for g in taking if g.name not in failed], trial, problem):
                failed |= found
                again = again or number > 0  # what passed before has others around it now
    return [g for g in groups if g.name not in failed], failed


def _failing(groups: Sequence[Group], trial: "Trial", problem: Try) -> Failed:
    """Some of those that must stay, if any must."""
    wrong = problem({g.name: trial(g) for g in groups}) if groups else None
    if wrong is None:
        return {}
    near = _near(groups, wrong)
    if not near:
        return _first(groups, wrong.reason, trial, problem)
    return _tried_alone(near, groups, trial, problem) or {near[-1].name: wrong.reason}


def _near(groups: Sequence[Group], wrong: Problem) -> list[Group]:
    return [g for g in groups if any(part.tensor in wrong.blamed for part in g.slices)]


def _tried_alone(
    near: Sequence[Group], left: Sequence[Group], trial: "Trial", problem: Try
) -> Failed:
    """The first of `near` that fails alone; where another one like it does, too, all like it."""
    for group in near:
        wrong = problem({group.name: trial(group)})
        if wrong is None:
            continue
        failed = {group.name: wrong.reason}
        alike = [g for g in left if g is not group and _kind(g) == _kind(group)]
        if alike and (again := problem({alike[-1].name: trial(alike[-1])})):
            failed[alike[-1].name] = again.reason
            if _general(again.reason) == _general(wrong.reason):
                failed |= {g.name: again.reason for g in alike}
        return failed
    return {}


def _first(groups: Sequence[Group], reason: str, trial: "Trial", problem: Try) -> Failed:
    """The first group that fails together with those before it, found by halving."""
    passing, failing = 0, len(groups)
    while failing - passing > 1:
        middle = (passing + failing) // 2
        wrong = problem({g.name: trial(g) for g in groups[:middle]})
        if wrong:
            failing, reason = middle, wrong.reason
        else:
            passing = middle
    return {groups[failing - 1].name: reason}


def _general(text: str) -> str:
    """A text with every number as #."""
    return re.sub(r"\d+", "#", text)


def _kind(group: Group) -> tuple[object, ...]:
    return tuple((_general(part.tensor), part.axis, part.role) for part in group.slices)


def _some(group: Group, last: bool) -> NDArray[np.int64]:
    """The first or last unit, and others at random: no two groups lose the same share."""
    generator = np.random.default_rng([last, group.units, *group.name.encode()])
    more = int(generator.integers(0, max(1, group.units - LEFT)))
    chosen = np.append(1 + generator.permutation(group.units - 1)[:more], 0)
    return np.sort(group.units - 1 - chosen if last else chosen)


def _most(group: Group) -> NDArray[np.int64]:
    middle = group.units // 2
    return np.delete(np.arange(group.units), [middle, middle - 1][: min(LEFT, group.units - 1)])


Trial = Callable[[Group], NDArray[np.int64]]
# How units are chosen, and in which groups: all, or those at even or at odd places.
TRIALS: tuple[tuple[Trial, int | None], ...] = (
    (partial(_some, last=False), None),
    (partial(_some, last=True), 0),
    (_most, 1),
)
