"""Report the dense, the selected and the sparse model, controls and the baseline on the test part.

The test part is read here and nowhere else.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from stages import artifacts
from stages.device import device_for
from stages.exporting.consumer import AsInTask, Consumer, consumer_of
from stages.measuring.against_baseline import doubt_on_test
from stages.measuring.cost import saved_bytes, zipped_bytes
from stages.measuring.eight_bit import EIGHT_BIT
from stages.measuring.latency import measure_latency
from stages.measuring.macs import macs_of
from stages.measuring.parameters import count_parameters
from stages.measuring.rate_distortion import mean_rate
from stages.networks.saved import load_network
from stages.running import run_stage
from stages.runtime_times import in_eight_bits, in_pytorch, runtimes_of, time_in_runtimes
from stages.settings import CONTROLS, DENSE, load_settings
from stages.tasks.quality import Measures, measures_of
from stages.tasks.task import CostShapes, task_of
from stages.testing.held_out import held_out_of

SPARSE, PRUNED = "sparse", "pruned"


def main() -> None:
    """Write the summary, the table of test items, and examples for the report."""
    settings = load_settings()
    measures, device = measures_of(settings), device_for(settings.training)
    shapes, held_out = task_of(settings).cost_shapes, held_out_of(settings)
    selection = artifacts.read_json(artifacts.SELECTION)
    folders = _model_folders(selection["selected"])
    loaded = {name: load_network(folder, settings.trusted) for name, folder in folders.items()}
    networks = {name: network.to(device) for name, (network, _) in loaded.items()}
    quantised = _quantised(consumer_of(settings))
    rows = held_out.rows(networks | quantised)
    models: dict[str, dict[str, Any]] = {}
    models[measures.baseline] = _means(measures, rows, measures.baseline)
    for name, costs in _costs(shapes, networks | quantised, folders).items():
        models[name] = {**_means(measures, rows, name), **costs}
    times = _times(shapes, networks, models)
    for name, latency in _latencies(shapes, networks | quantised, times).items():
        models[name] |= latency
    for name, (_, about) in loaded.items():
        models[name]["iterations"] = about.iterations
    models.setdefault(PRUNED, models[DENSE])
    artifacts.write_csv(artifacts.TEST_TABLE, rows)
    with artifacts.fresh_folder(artifacts.EXAMPLES) as folder:
        held_out.show({n: networks[n] for n in (DENSE, PRUNED) if n in networks}, folder)
    warning = doubt_on_test(measures, rows)
    summary = _summary(measures, models, selection) | {"warning": warning, "device": device.type}
    summary |= {"runtimes": times, "not_exported": _not_exported()}
    artifacts.write_json(artifacts.SUMMARY, rounded(summary))
    print(_told(measures, {name: models[name] for name in networks}, summary))


def _told(
    measures: Measures, models: Mapping[str, Mapping[str, Any]], summary: Mapping[str, Any]
) -> str:
    """What the terminal says: a warning first, where there is one."""
    name = measures.quality.name
    text = ", ".join(f"{model} {values[name]:.3f}" for model, values in models.items())
    text = f"test: {name} {text}; selected: {summary['selected']}"
    return f"warning: {summary['warning']}\n{text}" if summary["warning"] else text


def _model_folders(selected: str) -> dict[str, Path]:
    """Folders of the dense and the selected model, of the sparse one and of controls, if made.

    Where the dense model was selected it is measured once, so that noise makes no difference of it.
    """
    folders = {DENSE: artifacts.DENSE_MODEL}
    if selected != DENSE:
        folders[PRUNED] = artifacts.SELECTED_MODEL
    folders[SPARSE] = artifacts.SPARSE_MODEL
    folders |= {control: artifacts.control_path(control) for control in CONTROLS}
    return {name: path for name, path in folders.items() if not artifacts.why_nothing(path)}


def _quantised(consumer: Consumer) -> dict[str, nn.Module]:
    """The networks in 8 bits that there are, in ONNX Runtime."""
    from stages.exporting.onnx_network import OnnxNetwork

    paths = {name: artifacts.quantised_path(name) for name in (PRUNED, SPARSE)}
    return {
        name + EIGHT_BIT: AsInTask(OnnxNetwork(path), consumer)
        for name, path in paths.items()
        if path.is_file()
    }


def _times(
    shapes: CostShapes, networks: Mapping[str, nn.Module], models: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any] | None:
    """Times of the dense and the pruned model in every runtime; None where they are the same."""
    if PRUNED not in networks:
        return None
    pair = {name: networks[name] for name in (DENSE, PRUNED)}
    runtimes = runtimes_of(pair, {name: artifacts.EXPORTED / name for name in pair})
    small = artifacts.quantised_path(PRUNED)
    if small.is_file():
        runtimes |= in_eight_bits(runtimes, PRUNED, small)
    return time_in_runtimes(runtimes, {name: models[name]["macs"] for name in pair}, shapes)


def _not_exported() -> dict[str, dict[str, str]]:
    """Why a model is not there for a runtime, by model and runtime."""
    records = {
        name: artifacts.EXPORTED / name / artifacts.EXPORTED_RECORD for name in (DENSE, PRUNED)
    }
    reasons = {name: artifacts.read_json(path)["refused"] for name, path in records.items()}
    missing = artifacts.read_json(artifacts.QUANTISED / artifacts.QUANTISED_RECORD)["missing"]
    if PRUNED in missing:
        reasons[PRUNED + EIGHT_BIT] = {"onnx": missing[PRUNED]}
    return {name: refused for name, refused in reasons.items() if refused}


def _summary(
    measures: Measures, models: Mapping[str, Mapping[str, Any]], selection: Mapping[str, Any]
) -> dict[str, Any]:
    """What was selected, what it removed, lost and gained, and every model's figures."""
    name, quality = measures.quality.name, measures.quality
    dense, pruned, baseline = (models[key] for key in (DENSE, PRUNED, measures.baseline))
    summary = {
        "selected": selection["selected"],
        "share_removed": 1 - pruned["parameters"] / dense["parameters"],
        f"lost_{name}": quality.drop(dense[name], pruned[name]),
        f"gained_{name}": quality.drop(pruned[name], baseline[name]),
        **models,
    }
    if not artifacts.why_nothing(artifacts.CODEC):
        summary |= _rates(selection["selected"])
    if SPARSE in models:
        decision = artifacts.read_json(artifacts.TRADEOFF)
        summary[SPARSE] = {k: decision[k] for k in ("score", "sparsity")} | dict(models[SPARSE])
    return summary


def _rates(selected: str) -> dict[str, float | None]:
    """BD-rate against bicubic, mean over sequences, codecs and modes; what pruning cost of it."""
    rows = artifacts.read_csv(artifacts.CODEC / artifacts.DELTAS)
    own = DENSE if selected == DENSE else PRUNED  # measured once where it is the same
    dense, pruned = (mean_rate(rows, name) for name in (DENSE, own))
    cost = None if dense is None or pruned is None else pruned - dense
    return {"bd_rate_dense": dense, "bd_rate_pruned": pruned, "bd_rate_cost": cost}


def _means(measures: Measures, rows: Sequence[Mapping[str, Any]], model: str) -> dict[str, Any]:
    """Mean of every metric over a model's test items."""
    of_model = [row for row in rows if row["model"] == model]
    return {m: sum(float(row[m]) for row in of_model) / len(of_model) for m in measures.metrics}


def _costs(
    shapes: CostShapes, networks: Mapping[str, nn.Module], folders: Mapping[str, Path]
) -> dict[str, dict[str, Any]]:
    """What every model needs; one in 8 bits has the parameters and MACs that it has without."""
    costs: dict[str, dict[str, Any]] = {}
    for name, network in networks.items():
        if name.endswith(EIGHT_BIT):
            path = artifacts.quantised_path(name.removesuffix(EIGHT_BIT))
            costs[name] = {"bytes": path.stat().st_size, "zip_bytes": zipped_bytes(path)}
            continue
        costs[name] = {
            "parameters": count_parameters(network),
            "macs": macs_of(network, shapes.macs).count,
            "bytes": saved_bytes(folders[name]),
            "zip_bytes": zipped_bytes(folders[name] / artifacts.WEIGHTS),
        }
    return costs


def _latencies(
    shapes: CostShapes, networks: Mapping[str, nn.Module], times: Mapping[str, Any] | None
) -> dict[str, dict[str, float]]:
    """Times in PyTorch, of what is in 8 bits in ONNX Runtime; no model is measured twice."""
    found = in_pytorch(times["by_runtime"], PRUNED) if times else {}
    rest = {name: network for name, network in networks.items() if name not in found}
    for name, taken in measure_latency(rest, shapes.latency, shapes.latency_runs).items():
        found[name] = taken.columns() | {"latency_runs": taken.runs}
    return found


def rounded(tree: Any) -> Any:
    """Keep 6 significant digits of every fraction."""
    if isinstance(tree, Mapping):
        return {key: rounded(value) for key, value in tree.items()}
    return float(f"{tree:.6g}") if isinstance(tree, float) else tree


if __name__ == "__main__":
    run_stage(main)
