"""Repair of a sparse network in closed form: the weights that are left make up for those gone."""

import torch
from torch import Tensor, nn

from stages.contractions.matrices import as_matrices
from stages.contractions.refit import Repair, Teacher, refit
from stages.contractions.sums import Sums, ridge_of
from stages.contractions.used import Used, used_layers
from stages.weights.order import Masks

BYTES = 2**28  # of the systems that are solved at once


def repair_weights(network: nn.Module, teacher: Teacher, masks: Masks, strength: float) -> Repair:
    """Solve for the weights that `masks` leave, in place: `network` is the teacher's, masked.

    Each output has a system of its own, over its own weights (as in Frantar and Alistarh, "Optimal
    brain compression", NeurIPS 2022, section 4, with all of a row's weights refitted at once).
    Masked weights stay zero, exactly. None of the layers becomes worse on the teacher's inputs, nor
    does the whole. `strength` is the ridge's share of the mean square of a layer's inputs.
    """
    layers, left = used_layers(network, teacher.inputs[0])
    layers = [used for used in layers if used.layer.weight in masks]
    outputs = {used.layer: torch.arange(_count(network, used)) for used in layers}

    def solve(used: Used, sums: Sums, now: Tensor) -> Tensor:
        return _on_support(sums, now, _support(used, masks, now), strength, used.bias is not None)

    repair = refit(network, teacher, layers, outputs, solve)
    seen = {used.layer.weight for used in layers}
    told = {name: left[name] for name in masks if name not in seen and name in left} | repair.left
    return Repair(repair.layers, told, repair.error_before, repair.error_after)


def _count(network: nn.Module, used: Used) -> int:
    layer = used.layer
    weight = network.get_parameter(layer.weight)[layer.start : layer.start + layer.rows]
    groups, outputs, _ = as_matrices(weight, layer.geometry).shape
    return groups * outputs


def _support(used: Used, masks: Masks, now: Tensor) -> Tensor:
    """Which weights are left, in the form of the weights (groups, columns, outputs)."""
    layer = used.layer
    mask = masks[layer.weight][layer.start : layer.start + layer.rows]
    support = as_matrices(mask, layer.geometry).mT
    if used.bias is None:
        return support
    name, start = used.bias
    groups, _, outputs = now.shape
    own = masks.get(name, torch.ones(start + groups * outputs, dtype=torch.bool))
    return torch.cat([support, own[start : start + groups * outputs].view(groups, 1, outputs)], 1)


def _on_support(sums: Sums, near: Tensor, support: Tensor, strength: float, bias: bool) -> Tensor:
    """Weights with the least |X C - Y|^2 + r |C - near|^2 among those that are zero elsewhere."""
    held = ridge_of(sums, strength, bias)
    systems = sums.inputs + torch.diag_embed(held)
    wanted = (sums.products + held.unsqueeze(2) * near).mT
    at_once = max(1, BYTES // (8 * systems[0].numel()))
    solved = torch.zeros_like(near)
    for group, (system, right, kept) in enumerate(zip(systems, wanted, support.mT, strict=True)):
        for first in range(0, len(right), at_once):
            own = kept[first : first + at_once].double()
            alone = system * own.unsqueeze(1) * own.unsqueeze(2) + torch.diag_embed(1 - own)
            found = torch.linalg.solve(alone, right[first : first + at_once] * own)
            solved[group, :, first : first + at_once] = (found * own).mT
    return solved
