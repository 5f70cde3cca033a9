"""Telling groups that may be removed, all of them together, from those that may not.

A group must stay if a trial that takes from it alone fails. Where groups fail only together, the
one whose addition makes a trial fail must stay. Each has the reason of its own trial. First and
last come trials at the widths at which comparisons in the code are answered otherwise.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from stages.dependency.differences import Problem
from stages.dependency.graph import Group
from stages.dependency.trials import Trials
from stages.dependency.turns import Failed, turning
from stages.networks.indices import Indices

Choose = Callable[[Group], Indices]  # the units that a trial takes

# Units that a trial leaves, at least, where there are more. Of a single one no trial could see that
# it takes the place of another, and its labels would not differ along any axis: which of the axes
# holds channels would be lost.
LEFT = 2


def find_prunable(groups: Sequence[Group], trials: Trials) -> tuple[list[Group], Failed]:
    """Groups that may be removed in any number, and why the others may not.

    A trial takes from all groups at once, or from every second group. All of them pass with the
    groups that are kept: where one has failed, those before it are run again.
    """
    failed = {g.name: "removing it would leave a layer empty" for g in groups if g.units < 2}
    while found := turning([g for g in groups if g.name not in failed], trials, proven=False):
        failed |= found
    again = True
    while again:
        again = False
        for number, (choose, part) in enumerate(SHARES):
            taking = [g for place, g in enumerate(groups) if part in (None, place % 2)]
            while found := _failing([g for g in taking if g.name not in failed], choose, trials):
                failed |= found
                again = again or number > 0  # what passed before has others around it now
        while found := turning([g for g in groups if g.name not in failed], trials, proven=True):
            failed |= found
            again = True
    return [g for g in groups if g.name not in failed], failed


def _failing(groups: Sequence[Group], choose: Choose, trials: Trials) -> Failed:
    """Some of those that must stay, if any must.

    First those that own tensors near the place where it fails are tried alone.
    """
    wrong = trials.together({g.name: choose(g) for g in groups}) if groups else None
    if wrong is None:
        return {}
    for group in _near(groups, wrong):
        if own := trials.alone(group, choose(group)):
            break
    else:
        group, last = _first(groups, wrong, choose, trials)
        own = trials.alone(group, choose(group)) or last
    return {group.name: own.reason} | _failing_like(group, groups, choose, trials)


def _near(groups: Sequence[Group], wrong: Problem) -> list[Group]:
    return [g for g in groups if any(part.tensor in wrong.blamed for part in g.slices)]


def _failing_like(group: Group, groups: Sequence[Group], choose: Choose, trials: Trials) -> Failed:
    """Groups of the same kind, as in equal blocks, that fail alone, too.

    Those that have a module for it are all tried. The others, which take the whole network, only
    as long as none has passed: what is left shows in the next trial of all.
    """
    kind, failed, passed = _kind(group), {}, False
    for other in [g for g in groups if g is not group and _kind(g) == kind]:
        small = trials.module_of(other) is not None
        if small or not passed:
            problem = trials.alone(other, choose(other))
            if problem:
                failed[other.name] = problem.reason
            passed = passed or not (small or problem)
    return failed


def _first(
    groups: Sequence[Group], problem: Problem, choose: Choose, trials: Trials
) -> tuple[Group, Problem]:
    """The first group that fails together with those before it, found by halving; and how."""
    passing, failing = 0, len(groups)
    while failing - passing > 1:
        middle = (passing + failing) // 2
        wrong = trials.together({g.name: choose(g) for g in groups[:middle]})
        if wrong:
            failing, problem = middle, wrong
        else:
            passing = middle
    return groups[failing - 1], problem


def _kind(group: Group) -> tuple[object, ...]:
    """What groups have in common whose tensors' names differ in numbers alone."""
    return tuple((re.sub(r"\d+", "#", s.tensor), s.axis, s.role) for s in group.slices)


def _some(group: Group, last: bool) -> Indices:
    """The first or last unit, and others at random: no two groups lose the same share."""
    generator = np.random.default_rng([last, group.units, *group.name.encode()])
    more = int(generator.integers(0, max(1, group.units - LEFT)))
    chosen = np.append(1 + generator.permutation(group.units - 1)[:more], 0)
    return np.sort(group.units - 1 - chosen if last else chosen)


def _most(group: Group) -> Indices:
    middle = group.units // 2
    return np.delete(np.arange(group.units), [middle, middle - 1][: min(LEFT, group.units - 1)])


# How units are chosen, and in which groups: all, or those at even or at odd places. Shares differ
# from group to group, and from trial to trial, for two numbers that happen to be equal afterwards
# could hide that code takes the one for the other. The last takes nearly all: what only holds for
# many channels fails there.
SHARES: tuple[tuple[Choose, int | None], ...] = (
    (partial(_some, last=False), None),
    (partial(_some, last=True), 0),
    (_most, 1),
)
