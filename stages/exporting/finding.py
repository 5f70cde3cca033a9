"""Finding the file of a saved model for a runtime, by the digest of the model."""

from pathlib import Path

from stages import artifacts
from stages.errors import UserError
from stages.exporting.runtimes import SUFFIXES, is_installed
from stages.measuring.digest import model_digest


def exported_file(model: Path, runtime: str) -> Path:
    """The ONNX file that was made of the up-sampling model in a folder, and holds in a runtime.

    Raises:
        UserError: if there is none, or the runtime is not installed.
    """
    if runtime == "openvino" and not is_installed(runtime):
        raise UserError('OpenVINO is not installed: pip install -c constraints.txt ".[openvino]"')
    digest = model_digest(model)
    for folder in (artifacts.EXPORTED, artifacts.EXPORTS):
        for path in sorted(folder.glob(f"*/{artifacts.EXPORTED_RECORD}")):
            record = artifacts.read_json(path)
            if record["digest"] != digest:
                continue
            if runtime not in record["kept"]:
                reason = record["refused"].get(runtime, "it was not there when it was exported")
                raise UserError(f"{model} is not exported for {runtime}: {reason}")
            if not {2, 3} <= set(record["kept"][runtime]["dynamic_axes"]):
                raise UserError(f"{model} is exported for frames of one shape only: take torch")
            return (path.parent / artifacts.EXPORTED_STEM).with_suffix(SUFFIXES["onnx"])
    raise UserError(
        f"{model} is not exported for {runtime}: `dvc repro` exports the dense model, those of "
        "steps and models/pruned, as they are now; --runtime torch needs no export"
    )
