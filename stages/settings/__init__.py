"""`params.yaml` as frozen, typed settings: parsed once, unknown keys refused."""

from stages.settings.codec import Codec
from stages.settings.data import (
    ClassificationBatches,
    ClassificationData,
    Coded,
    Pictures,
    Radio,
    UpsamplingBatches,
    UpsamplingData,
    Video,
)
from stages.settings.params import Settings, load_settings, trusted_here
from stages.settings.pruning import DENSE, Bound, Criterion, Procedure, Pruning
from stages.settings.section import TASK_NAMES, ByTask, PerTask
from stages.settings.training import Network, Phase, Sparsity, Training
from stages.settings.weights import SCORES, Sweep, Tradeoff

CONTROLS = ("longer", "scratch")

__all__ = [
    "CONTROLS",
    "DENSE",
    "SCORES",
    "TASK_NAMES",
    "Bound",
    "ByTask",
    "ClassificationBatches",
    "ClassificationData",
    "Codec",
    "Coded",
    "Criterion",
    "Network",
    "PerTask",
    "Phase",
    "Pictures",
    "Procedure",
    "Pruning",
    "Radio",
    "Settings",
    "Sparsity",
    "Sweep",
    "Tradeoff",
    "Training",
    "UpsamplingBatches",
    "UpsamplingData",
    "Video",
    "load_settings",
    "trusted_here",
]
