"""A tiny configuration: what it changes in the repository's params.yaml."""

from typing import Any

TINY: dict[str, Any] = {
    "task": "upsampling",
    "data.upsampling.source": "folder",
    "data.upsampling.coded": {"codec": "hevc", "qps": [37], "clean": True},
    "data.upsampling.sequence_frames": 2,
    "codec.codecs": ["hevc"],
    "codec.modes": ["low_delay"],
    "codec.qps": [22, 27, 32, 37],
    "codec.vmaf": False,
    "network.upsampling.factory": "espcn",
    "network.upsampling.arguments": {"width": 8, "scale": 2},
    "batches.upsampling.batch": 2,
    "batches.upsampling.patch": 8,
    "training.device": "cpu",
    "finetune.upsampling": {"epochs": 2, "iterations": 3, "learning_rate": 0.01},
    "recovery.upsampling": {"epochs": 1, "iterations": 2, "learning_rate": 0.01},
    "pruning.target": 0.5,
    "pruning.schedule": "even",
    "pruning.steps": {"step1": "dense", "step2": "step1"},
    "pruning.repair.samples": {"upsampling": 8, "classification": 32},
    "pruning.repair.draws": {"upsampling": 1, "classification": 2},
    "evaluation.upsampling.macs_frame": [32, 32],
    "evaluation.upsampling.latency_frame": [16, 16],
    "evaluation.upsampling.latency_runs": 1,
    "data.classification.modulations.snrs_db": [5, 20],
    "data.classification.modulations.signals": 6,
    "data.classification.modulations.length": 128,
    "network.classification.arguments": {"widths": [6, 8], "strides": [2, 2], "kernel": 5},
    "batches.classification.batch": 8,
    "finetune.classification": {"epochs": 2, "iterations": 3, "learning_rate": 0.01},
    "recovery.classification": {"epochs": 1, "iterations": 2, "learning_rate": 0.001},
    "sweep.classification.scores": ["magnitude", "synflow", "random"],
    "sweep.classification.most_points": 8,
    "sweep.classification.repair.samples": 32,
    "sweep.classification.synflow.rounds": 3,
    "evaluation.classification.latency_runs": 1,
    "exports.enabled": False,
}


def set_dotted(tree: dict[str, Any], name: str, value: Any) -> None:
    """Set a value by its dotted name."""
    *parents, key = name.split(".")
    for parent in parents:
        tree = tree[parent]
    tree[key] = value
