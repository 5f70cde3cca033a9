"""Choosing the units of a step so that what is left of the goal is what was asked, as counted."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from stages.channels.budget import smallest_reachable
from stages.channels.importance import Importance
from stages.channels.prices import Prices
from stages.channels.removal import tensor_shapes
from stages.dependency.graph import Removed
from stages.errors import UserError
from stages.measuring.macs import macs_of
from stages.step_model import StepModel, choose_for, limits_of, planned_prices, without


def left_of(network: nn.Module, prices: Prices, planned: Mapping[str, Any]) -> int:
    """What a network costs in the goal that a step's schedule file names.

    MACs are counted; time is what the cost table predicts.
    """
    if prices.goal == "macs":
        return macs_of(network, tuple(planned["prices"]["macs"]["shape"])).count
    return _cost(network, prices)


def choose_within(
    model: StepModel, importance: Importance, planned: Mapping[str, Any], budget: int
) -> Removed:
    """The units whose removal leaves at most `budget` of the goal, and no more than need be gone.

    MACs are counted on the smaller network: where activations are multiplied with each other, what
    tensors may cost is found by bisection.

    Raises:
        UserError: if so much cannot go.
    """
    prices = planned_prices(model, planned)
    if planned["goal"] != "macs" or not prices.rest:
        chosen = choose_for(model, importance, planned, budget, prices)
        if planned["goal"] == "macs":
            smaller = without(model, chosen)
            counted, predicted = left_of(smaller, prices, planned), _cost(smaller, prices)
            assert counted == predicted, f"{counted} MACs are left, not {predicted}"
        return chosen
    prices, limits = prices.of_tensors, limits_of(planned)
    low = smallest_reachable(model.graph, tensor_shapes(model.network), limits, prices)
    high, best = budget, choose_for(model, importance, planned, low, prices)
    least = left_of(without(model, best), prices, planned)
    if least > budget:
        raise UserError(f"pruning cannot go down to {budget} macs: {least} are left at the minimum")
    while high - low > 1:
        middle = (low + high) // 2
        chosen = choose_for(model, importance, planned, middle, prices)
        if left_of(without(model, chosen), prices, planned) <= budget:
            low, best = middle, chosen
        else:
            high = middle
    return best


def _cost(network: nn.Module, prices: Prices) -> int:
    return prices.cost(tensor_shapes(network))
