"""The selected model as a model of MLflow: ONNX, with its signature and an example of an input."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NAME = "selected"  # of the model within its run
REGISTRIES = "MLFLOW_REGISTRY_URI", "MLFLOW_TRACKING_URI"  # who sets one has a registry


@dataclass(frozen=True)
class OnnxModel:
    """A file, the shape of an input, its axes of any length, and what a user must know of it."""

    path: Path
    shape: tuple[int, ...]
    dynamic_axes: tuple[int, ...]
    facts: Mapping[str, Any]
    register_as: str

    @property
    def registered(self) -> str | None:
        """The name it is registered under, where a registry is configured."""
        return self.register_as if any(os.environ.get(name) for name in REGISTRIES) else None


def log_onnx_model(run_id: str, tracking_uri: str, model: OnnxModel) -> None:
    """Log a model to a run: `mlflow models serve -m runs:/RUN/selected` serves it."""
    import mlflow
    import onnx
    import onnxruntime
    from mlflow.models import ModelSignature
    from mlflow.onnx import log_model
    from mlflow.types import Schema, TensorSpec

    example = np.random.default_rng(0).random(model.shape, dtype=np.float32)
    session = onnxruntime.InferenceSession(str(model.path), providers=["CPUExecutionProvider"])
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    output = session.run(None, {given.name: example})[0]

    def schema(name: str, lengths: Sequence[int]) -> Schema:
        free = [-1 if axis in model.dynamic_axes else n for axis, n in enumerate(lengths)]
        return Schema([TensorSpec(np.dtype(np.float32), tuple(free), name)])

    mlflow.set_tracking_uri(tracking_uri)
    with mlflow.start_run(run_id=run_id):
        log_model(
            onnx.load(model.path),
            name=NAME,
            signature=ModelSignature(
                schema(given.name, model.shape), schema(made.name, output.shape)
            ),
            input_example={given.name: example},
            registered_model_name=model.registered,
            metadata=dict(model.facts),
            save_as_external_data=False,
            # Asking MLflow which packages it takes starts a process that takes half a minute.
            pip_requirements=[
                f"{package.__name__}=={package.__version__}"
                for package in (mlflow, onnx, onnxruntime)
            ],
        )
