"""Repair in closed form: after removal, each layer is solved so that it gives what it gave."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from torch import Tensor, nn

from stages.channels.shared_taps import by_channel
from stages.channels.surviving import channels_left, kept_columns, kept_outputs
from stages.contractions.calls import Call
from stages.contractions.fit import Fit, Scale
from stages.contractions.mapped import Mapped
from stages.contractions.matrices import own_rows, too_large
from stages.contractions.refit import Repair, Teacher, refit
from stages.contractions.running import all_calls
from stages.contractions.sums import ridge
from stages.contractions.used import Used, used_layers
from stages.dependency.graph import READS, Graph, Removed, removed_indices
from stages.networks.indices import RemovedIndices

UNSEEN = "no convolution or linear layer uses its weight as it is"
ORDER = "the smaller network's layers run in another order"


def repair_channels(
    network: nn.Module,
    teacher: nn.Module,
    graph: Graph,
    removed: Removed,
    inputs: Sequence[Tensor],
    strength: float,
    only: Collection[str] | None = None,
) -> Repair:
    """Solve the layers of `network`, in place: it is `teacher` without the units `removed`.

    `graph` is the teacher's, `inputs` are batches of samples, `strength` is the ridge's share of
    the mean square of a layer's inputs. Layers go in order of execution, each on inputs that are
    repaired already, and stay near the cut weights. Those with more than `COLUMNS` inputs times
    taps get one map of channels for all taps, and where their inputs are no channels they are only
    scaled and shifted. None becomes worse on these samples, nor does the whole. With `only`, layers
    are solved whose weights it names, and no others.
    """
    now, before = (all_calls(one, inputs[0]) for one in (network, teacher))
    names, order = ([call.layer.weight for call in one.calls] for one in (now, before))
    layers, left = used_layers(network, now)
    if names != order:
        layers, left = [], dict.fromkeys(names, ORDER)
    if only is not None:
        layers = [used for used in layers if used.layer.weight in only]
    lost = removed_indices(graph, removed)
    whole = {used.layer: before.calls[used.calls[0]] for used in layers}
    repair = refit(
        network,
        Teacher(teacher, inputs),
        [_fit(network, used, inputs, teacher, whole[used.layer], graph, lost) for used in layers],
        lambda used, sums, near: ridge(sums, near, strength, used.bias is not None),
    )
    seen = {used.layer.weight for used in layers}
    cut = [name for name in cut_readers(graph, removed) if name not in seen]
    told = {name: left.get(name, UNSEEN) for name in cut} | repair.left
    return replace(repair, left=told)


def _fit(
    network: nn.Module,
    used: Used,
    inputs: Sequence[Tensor],
    teacher: nn.Module,
    before: Call,
    graph: Graph,
    lost: RemovedIndices,
) -> Fit:
    """How a layer is fitted to what it was `before`, in the teacher."""
    outputs = kept_outputs(before.layer, used.layer, teacher, lost)
    if not too_large(network, used.layer):
        return Fit(network, used, outputs, inputs)
    columns = by_channel(teacher, graph, before.layer)
    if columns is None:
        return Scale(network, used, outputs, inputs)
    channels = channels_left(columns, kept_columns(before.layer, used.layer, teacher, lost))
    weight = own_rows(teacher, before.layer)
    return Mapped(network, used, outputs, inputs, channels, weight, before.bias)


def cut_readers(graph: Graph, removed: Removed) -> list[str]:
    """Tensors that have lost inputs."""
    touched = (group for group in graph.groups if len(removed.get(group.name, ())))
    return [*dict.fromkeys(p.tensor for group in touched for p in group.slices if p.role == READS)]
