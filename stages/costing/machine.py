"""What a time was measured with: it holds for nothing else."""

import importlib.metadata
import platform
from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")
PACKAGES = {"openvino": "openvino", "onnx": "onnxruntime"}  # beginnings of runtimes' names


def machine_for(runtime: str, device: torch.device) -> dict[str, str | int]:
    """Processor, threads and versions that decide times in a runtime, as a record names them."""
    package = next((p for name, p in PACKAGES.items() if runtime.startswith(name)), "torch")
    return {
        "processor": _processor(device if package == "torch" else torch.device("cpu")),
        "threads": torch.get_num_threads(),
        package: importlib.metadata.version(package),
    }


def told(machine: dict[str, str | int]) -> str:
    """A machine in a line."""
    versions = [f"{k} {v}" for k, v in machine.items() if k not in ("processor", "threads")]
    return f"{machine['processor']}, {machine['threads']} threads, {', '.join(versions)}"


def _processor(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if CPUINFO.is_file():
        for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
