"""What the stages that export a model share: all its files, compared with PyTorch, and a record."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from stages import artifacts
from stages.exporting.consumer import consumer_of
from stages.exporting.onnx_file import OPSET
from stages.exporting.writing import Exported, Inputs, export_model
from stages.measuring.digest import model_digest
from stages.networks.saved import load_network
from stages.settings import Settings


def export_to(folder: Path, source: Path, name: str, settings: Settings) -> None:
    """Write the model of `source`, which goes by `name`, for other runtimes, and tell of it.

    A network that cannot be exported stops nothing: the record in `folder` says why.
    """
    consumer = consumer_of(settings)
    network, about = load_network(source, settings.trusted)
    facts = consumer.facts() | {"model": name, "digest": model_digest(source)}
    inputs = Inputs(about.example_shape, consumer.dynamic_axes, consumer.in_use, consumer.values)
    with artifacts.fresh_folder(folder) as partial:
        stem = partial / artifacts.EXPORTED_STEM
        made = export_model(consumer.wrapped(network), inputs, stem, facts)
        artifacts.write_json(partial / artifacts.EXPORTED_RECORD, _record(made, facts))
    kept = ", ".join(f"{runtime} {one.error:.0e}" for runtime, one in made.kept.items())
    print(
        f"{name}: exported, largest error as a share of the largest output: {kept or 'none kept'}"
    )
    for runtime, reason in made.refused.items():
        print(f"{name}: not for {runtime}: {reason}")


def _record(made: Exported, facts: dict[str, Any]) -> dict[str, Any]:
    kept = {runtime: asdict(one) for runtime, one in made.kept.items()}
    return {"schema": 1, "opset": OPSET, **facts, "kept": kept, "refused": made.refused}
