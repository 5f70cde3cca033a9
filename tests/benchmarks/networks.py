"""What the benchmarks of dependency graphs run over: torchvision's classifiers, and users' own."""

import torch
import torchvision
from torch import Tensor, nn

from tests.dependency.networks_under_test import lively
from tests.dependency.own_cases import OWN

SIDES = {"inception_v3": 299}  # its auxiliary head needs more in training
TORCHVISION: list[str] = torchvision.models.list_models(module=torchvision.models)
FAMILIES = {"torchvision": TORCHVISION, "own": list(OWN)}


def tables(asked: list[str]) -> list[list[str]]:
    """Names of networks, a family's together; a name of none is in a table with others such."""
    single = [name for name in asked if name not in FAMILIES]
    return [*(FAMILIES[name] for name in asked if name in FAMILIES), *([single] if single else [])]


def make(name: str) -> nn.Module:
    """A network whose every channel matters, in eval mode."""
    torch.manual_seed(0)
    if name in OWN:
        return lively(OWN[name].make()).eval()
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    network: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    with torch.no_grad():
        for key, tensor in [*network.named_parameters(), *network.named_buffers()]:
            if tensor.is_floating_point() and tensor.numel() > 1 and float(tensor.std()) == 0:
                centred = key.endswith(("bias", "running_mean"))
                tensor.uniform_(*((-0.2, 0.2) if centred else (0.5, 1.5)))
    return network.eval()


def example_for(name: str) -> Tensor:
    if name in OWN:
        return OWN[name].example()
    side = SIDES.get(name, 224)
    return torch.randn((1, 3, side, side), generator=torch.Generator().manual_seed(1))
