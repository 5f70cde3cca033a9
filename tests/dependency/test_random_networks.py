"""What must hold of every network, tried on networks that are composed at random."""

import copy
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from stages.channels.masking import mask_channels
from stages.channels.proof import DOUBLE, masking_proof, relative_error
from stages.channels.removal import count_after, parameter_shapes, remove_channels
from stages.dependency.build import build_graph
from stages.dependency.differences import BREAKS, MOVES
from stages.dependency.graph import READS, Graph, Removed, Slice, removed_indices
from stages.dependency.graph_file import graph_to_json
from tests.dependency.cases import some_units
from tests.dependency.networks_under_test import conv, gate_of, lively
from tests.dependency.ownership import check_ownership
from tests.dependency.random_networks import SHAPE, Composed, compose
from tests.dependency.random_operators import Applied, ChannelsLast, padded, shuffled, unshuffled

WRONG = 1e-3
CUTS = (shuffled, unshuffled)

# Every run has the same examples. Composing one takes a while, which is no fault of the strategy.
MANY = settings(
    max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
FEW, FEWER = settings(MANY, max_examples=60), settings(MANY, max_examples=15)


@st.composite
def networks(draw: st.DrawFn) -> Composed:
    return compose(lambda options: draw(st.sampled_from(options)))


any_removal = given(
    network=networks(),
    share=st.floats(0.2, 0.8),
    keep=st.sampled_from((2, 1)),
    seed=st.integers(0, 999),
)
half_removal = given(network=networks(), seed=st.integers(0, 999))


def noise(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(SHAPE, generator=generator, dtype=torch.float64)


def check_exactness(network: nn.Module, share: float, keep: int, seed: int) -> None:
    """Without some units the network runs, gives what it gives with them masked, and is as small
    as foretold.

    Couplings say all that a trial can find, but where code alone says which part of a view shrinks.
    """
    graph = build_graph(network, SHAPE)
    if not any(
        getattr(layer, "function", None) in (*CUTS, half_forgotten) for layer in network.modules()
    ):
        assert not [part for part in graph.frozen if part.reason.startswith((BREAKS, MOVES))]
    assert graph_to_json(build_graph(copy.deepcopy(network), SHAPE)) == graph_to_json(graph)
    check_ownership(network, graph)
    removed = some_units(graph, share, seed, keep)
    proof = masking_proof(network, noise(seed), graph, removed)
    assert (proof.holds, proof.precision) == (True, DOUBLE), proof
    foretold = count_after(parameter_shapes(network), removed_indices(graph, removed))
    pruned = copy.deepcopy(network)
    remove_channels(pruned, graph, removed)
    assert sum(p.numel() for p in pruned.parameters()) == foretold


@FEW
@any_removal
def test_removing_equals_masking(network: Composed, share: float, keep: int, seed: int) -> None:
    check_exactness(network, share, keep, seed)


@pytest.mark.slow
@MANY
@any_removal
def test_removing_equals_masking_in_many(
    network: Composed, share: float, keep: int, seed: int
) -> None:
    check_exactness(network, share, keep, seed)


@FEWER
@half_removal
def test_what_is_left_of_a_graph_is_the_graph_of_what_is_left(network: Composed, seed: int) -> None:
    graph = build_graph(network, SHAPE)
    removed = some_units(graph, 0.5, seed, keep=2)
    pruned = copy.deepcopy(network)
    remove_channels(pruned, graph, removed)
    found = graph_to_json(build_graph(pruned, SHAPE))
    assert found["groups"] == graph_to_json(graph.without(removed))["groups"]


@FEWER
@half_removal
def test_other_units_read_than_made_are_noticed(network: Composed, seed: int) -> None:
    """Were `masking_proof` blind, the test above would prove nothing."""
    graph = build_graph(network, SHAPE)
    removed = some_units(graph, 0.5, seed)
    # A unit that only a weight used backwards reads has nothing that could be read wrongly.
    assume(any(len(removed[g.name]) and READS in {s.role for s in g.slices} for g in graph.groups))
    # Nor is there where all units that are left are dead, as after a ReLU at a single position.
    assume(kept_units_matter(network, graph, removed, noise(seed)))
    assert masking_proof(network, noise(seed), misread(graph), removed).error > WRONG


def kept_units_matter(network: Composed, graph: Graph, removed: Removed, x: Tensor) -> bool:
    """Whether the output is another once the units that are left are silenced too."""
    outputs = []
    for silent in (removed, {group.name: np.arange(group.units) for group in graph.groups}):
        masked = copy.deepcopy(network).double().eval()
        mask_channels(masked, graph, silent)
        outputs.append(masked(x.double()))
    return relative_error(outputs[1], outputs[0]) > WRONG


def misread(graph: Graph) -> Graph:
    """A graph that takes each unit for the next one where a layer reads it."""

    def moved(part: Slice) -> Slice:
        return replace(part, indices=np.roll(part.indices, 1, axis=0))

    groups = [
        replace(g, slices=tuple(moved(s) if s.role == READS else s for s in g.slices))
        for g in graph.groups
    ]
    return replace(graph, groups=tuple(groups))


def test_most_networks_have_groups() -> None:
    """Nor would it where nothing can be removed."""
    sample = [compose(random.Random(seed).choice) for seed in range(30)]
    prunable = [network for network in sample if build_graph(network, SHAPE).groups]
    assert len(prunable) >= 0.8 * len(sample)


def half_forgotten(x: Tensor) -> Tensor:
    """Rows of two, whose number the code computes such that it cannot be seen from what."""
    rows = round(x.shape[1] / 2)
    return x.view(x.shape[0], rows, 2, *x.shape[2:]).transpose(1, 2).flatten(1, 2)


# What composing at random has found, cut down: layers between two convolutions, how many channels
# these make and read, and how many units there must be.
FOUND = {
    "pooled, channels last": ((ChannelsLast(nn.Linear(8, 8)), nn.AdaptiveAvgPool2d(1)), 8, 8, 16),
    "channels shuffled": ((nn.ChannelShuffle(2),), 8, 8, 4),
    "slopes of what was channels": ((nn.PixelShuffle(2), nn.PReLU(4)), 16, 4, 4),
    "padded, flat": ((nn.PixelUnshuffle(2), Applied(padded, "constant"), nn.Flatten(),
                      nn.Linear(576, 8), nn.Unflatten(1, (-1, 1, 1))), 4, 8, 12),
    "two channels normalised": ((ChannelsLast(nn.LayerNorm(2)),), 2, 2, 2),
    "cut where the code counts": ((Applied(unshuffled, 2),), 8, 8, 4),
    "cut at other places": ((Applied(half_forgotten),), 8, 8, 0),
    "rows of one unit": ((Applied(shuffled, 4), Applied(gate_of), Applied(shuffled, 2)), 16, 8, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once(name: str) -> None:
    layers, made, read, units = FOUND[name]
    torch.manual_seed(0)
    network = lively(nn.Sequential(conv(SHAPE[1], made), *layers, conv(read, 3))).double()
    graph = build_graph(network, SHAPE)
    assert sum(group.units for group in graph.groups) == units
    check_exactness(network, 0.5, keep=1, seed=0)
