"""Repair of a sparse network in closed form: the weights that are left make up for those gone."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from stages.contractions.calls import Layer
from stages.contractions.fit import Fit, Scale
from stages.contractions.matrices import as_matrices, own_rows, too_large
from stages.contractions.refit import Repair, Teacher, refit
from stages.contractions.running import all_calls
from stages.contractions.sums import Sums, ridge_of
from stages.contractions.used import Used, used_layers
from stages.weights.order import Masks

BYTES = 2**28  # of the systems that are solved at once
WORK = 1e12  # multiplications for a layer, above which it is only scaled: about half a minute


def repair_weights(network: nn.Module, teacher: Teacher, masks: Masks, strength: float) -> Repair:
    """Solve for the weights that `masks` leave, in place: `network` is the teacher's, masked.

    Each output has a system of its own, over its own weights (as in Frantar and Alistarh, "Optimal
    brain compression", NeurIPS 2022, section 4, with all of a row's weights refitted at once).
    Masked weights stay zero, exactly. Layers for which that takes too long are only scaled and
    shifted, output by output. None of the layers becomes worse on the teacher's inputs, nor
    does the whole. `strength` is the ridge's share of the mean square of a layer's inputs.
    """
    layers, left = used_layers(network, all_calls(network, teacher.inputs[0]))
    layers = [used for used in layers if used.layer.weight in masks]
    fits = [
        (Scale if _takes_too_long(network, used.layer, masks) else Fit)(
            network, used, torch.arange(_count(network, used)), teacher.inputs
        )
        for used in layers
    ]

    def solve(used: Used, sums: Sums, now: Tensor) -> Tensor:
        return _on_support(sums, now, _support(used, masks, now), strength, used.bias is not None)

    repair = refit(network, teacher, fits, solve)
    seen = {used.layer.weight for used in layers}
    told = {name: left[name] for name in masks if name not in seen and name in left} | repair.left
    return replace(repair, left=told)


def _count(network: nn.Module, used: Used) -> int:
    groups, outputs, _ = as_matrices(own_rows(network, used.layer), used.layer.geometry).shape
    return groups * outputs


def _takes_too_long(network: nn.Module, layer: Layer, masks: Masks) -> bool:
    """Whether a layer's systems, one per output over the weights it has left, take too long."""
    mask = masks[layer.weight][layer.start : layer.start + layer.rows]
    left = as_matrices(mask, layer.geometry).sum(2).double()
    return too_large(network, layer) or float((left**3).sum()) > WORK


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
    solved = torch.zeros_like(near)
    for system, right, kept, found in zip(systems, wanted, support.mT, solved, strict=True):
        order = torch.argsort(
            kept.sum(1), descending=True
        )  # outputs with as many weights left are solved together
        start = 0
        while start < len(order):
            most = int(kept[order[start:]].sum(1)[0])
            at_once = max(1, BYTES // (8 * max(1, most) ** 2))
            rows = order[start : start + at_once]
            found[:, rows] = _rows(system, right[rows], kept[rows]).mT
            start += at_once
    return solved


def _rows(system: Tensor, right: Tensor, kept: Tensor) -> Tensor:
    """Solve for some outputs (rows, columns), each over the columns it keeps; zero elsewhere."""
    most = int(kept.sum(1).max())
    places = torch.argsort(kept.to(torch.uint8), dim=1, descending=True)[:, :most]
    own = kept.gather(1, places).double()
    alone = system[places.unsqueeze(2), places.unsqueeze(1)]
    alone = alone * own.unsqueeze(1) * own.unsqueeze(2) + torch.diag_embed(1 - own)
    found = torch.linalg.solve(alone, right.gather(1, places) * own)
    return torch.zeros_like(right).scatter(1, places, found * own)
