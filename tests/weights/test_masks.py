"""Orders of removal and masks: exact, nested, and equal to PyTorch's own pruning."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from stages.sweeping import collapse_text, table_of
from stages.weights.order import Order, apply_masks, emptied_at, masks_at, order_of, size
from stages.weights.prunable import prunable
from stages.weights.scores import gradient_times_weight, magnitude, random_score
from stages.weights.synflow import densities, synflow_order

SPARSITIES = [0.0, 0.001, 0.25, 0.5, 0.9, 0.987654, 0.999, 1.0]
SHAPE = (1, 3, 8, 8)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 16, 3, padding=1), nn.PReLU(16), nn.Flatten(), nn.Linear(1024, 10),
    )  # fmt: skip


def order_by(score: str, scope: str = "global") -> Order:
    subject = network()
    weights = prunable(subject)
    if score == "synflow":
        falling = densities("exponential", 20, 0.999)
        return synflow_order(subject, SHAPE, ("weights",), scope, falling)  # type: ignore[arg-type]
    if score == "random":
        return order_of(random_score(weights, 3), scope)  # type: ignore[arg-type]
    if score == "gradient":
        gradients = {n: torch.randn_like(p) for n, p in subject.named_parameters()}
        return order_of(gradient_times_weight(weights, gradients), scope)  # type: ignore[arg-type]
    return order_of(magnitude(weights), scope)  # type: ignore[arg-type]


ALL = [
    (score, scope)
    for score in ("magnitude", "synflow", "random", "gradient")
    for scope in ("global", "layer")
]


@pytest.mark.parametrize("amount", [0.1, 0.5, 0.9, 0.99])
def test_magnitude_masks_equal_global_unstructured(amount: float) -> None:
    reference = network()
    owners = [(reference[place], "weight") for place in (0, 3, 6)]
    prune.global_unstructured(owners, pruning_method=prune.L1Unstructured, amount=amount)
    masks = masks_at(order_by("magnitude"), amount)
    for place in (0, 3, 6):
        assert torch.equal(masks[f"{place}.weight"], reference[place].weight_mask.bool())


@pytest.mark.parametrize("amount", [0.1, 0.5, 0.9])
def test_layer_masks_equal_l1_unstructured_to_one_weight(amount: float) -> None:
    reference, masks = network(), masks_at(order_by("magnitude", "layer"), amount)
    for place in (0, 3, 6):
        prune.l1_unstructured(reference[place], "weight", amount)
        wanted = reference[place].weight_mask.bool()
        assert (masks[f"{place}.weight"] != wanted).sum() <= 1


@pytest.mark.parametrize(("score", "scope"), ALL)
def test_an_order_counts_every_weight_once(score: str, scope: str) -> None:
    order = order_by(score, scope)
    places = torch.cat([part.reshape(-1) for part in order.values()])
    assert size(order) == 3 * 8 * 9 + 8 * 16 * 9 + 1024 * 10
    assert torch.equal(places.sort().values, torch.arange(size(order)))


@pytest.mark.parametrize(("score", "scope"), ALL)
def test_masks_are_exact_and_nest(score: str, scope: str) -> None:
    order = order_by(score, scope)
    before = masks_at(order, 0.0)
    for sparsity in SPARSITIES:
        masks = masks_at(order, sparsity)
        zeros = sum(int((~mask).sum()) for mask in masks.values())
        assert zeros == round(sparsity * size(order))
        assert all(bool((before[name] | ~masks[name]).all()) for name in masks)
        before = masks


@pytest.mark.parametrize("score", ["magnitude", "synflow", "random", "gradient"])
def test_layers_are_alike_under_layer_scope(score: str) -> None:
    for sparsity in (0.3, 0.9):
        for mask in masks_at(order_by(score, "layer"), sparsity).values():
            assert abs(int((~mask).sum()) - sparsity * mask.numel()) <= 1


def test_equal_scores_never_overshoot() -> None:
    order = order_of({"a": torch.ones(7), "b": torch.ones(5)}, "global")
    masks = masks_at(order, 0.5)
    assert masks["a"].tolist() == [False] * 6 + [True]
    assert masks["b"].all()


def test_masks_silence_weights_and_nothing_else() -> None:
    subject = network()
    before = copy.deepcopy(subject.state_dict())
    masks = masks_at(order_by("magnitude"), 0.5)
    apply_masks(subject, masks)
    for name, tensor in subject.state_dict().items():
        kept: Tensor = masks.get(name, torch.ones_like(tensor, dtype=torch.bool))
        assert torch.equal(tensor, torch.where(kept, before[name], torch.zeros_like(tensor)))


@pytest.mark.parametrize(
    ("include", "names"),
    [
        (["weights"], ["0.weight", "3.weight", "6.weight"]),
        (["biases"], ["0.bias", "3.bias", "4.weight", "6.bias"]),
        (["normalisation"], ["1.weight", "1.bias"]),
    ],
)
def test_what_counts_as_a_weight(include: list[str], names: list[str]) -> None:
    assert list(prunable(network(), include)) == names


def test_shared_weights_count_once() -> None:
    subject = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    subject[1].weight = subject[0].weight
    assert list(prunable(subject)) == ["0.weight"]


def test_random_scores_follow_the_seed() -> None:
    weights = prunable(network())
    one, same, other = (random_score(weights, seed)["0.weight"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_gradient_scores_are_the_loss_that_a_weight_is_worth() -> None:
    """Of a loss that is linear in the weights, the score is exactly what silencing one changes."""
    torch.manual_seed(0)
    subject = nn.Linear(5, 1, bias=False)
    given = torch.randn(5)
    subject(given).sum().backward()
    gradients = {"weight": subject.weight.grad}
    score = gradient_times_weight(prunable(subject), gradients)["weight"][0]  # type: ignore[arg-type]
    for place in range(5):
        without = subject.weight.detach().clone()
        without[0, place] = 0
        change = (subject.weight.detach() - without) @ given
        assert float(score[place]) == pytest.approx(abs(float(change)), rel=1e-5)


@pytest.mark.parametrize("score", ["magnitude", "synflow", "random"])
def test_a_layer_is_empty_from_where_it_is_said_to_be(score: str) -> None:
    order = order_by(score)
    for name, end in emptied_at(order).items():
        assert not masks_at(order, end)[name].any()
        assert masks_at(order, end - 1 / size(order))[name].any()


def test_layer_collapse_is_told() -> None:
    """One small layer of small weights; the control: nothing is said before it goes."""
    subject = network()
    with torch.no_grad():
        subject[0].weight.mul_(1e-3)
    order = order_of(magnitude(prunable(subject)), "global")
    end = emptied_at(order)["0.weight"]
    assert end < 0.5
    told = collapse_text(emptied_at(order), end)
    assert "in 1 of 3 layers" in told
    assert f"0.weight from {end:.4f} on" in told
    assert collapse_text(emptied_at(order), end - 1e-4) == ""
    rows = table_of(order, *[[(0.0, 0.9), (end, 0.5), (1.0, 0.1)]] * 2)
    assert [row["empty_layers"] for row in rows] == [0, 1, 3]
    assert [row["quality"] for row in rows] == [0.9, 0.5, 0.1]
