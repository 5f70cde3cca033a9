"""README's script for exported networks, where nothing is installed but onnxruntime and numpy."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stages.exporting.onnx_file import write_onnx
from stages.exporting.program import traced
from stages.networks.espcn import ESPCN

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SCRIPT = re.compile(r"^```python\n(.*?)^```", re.M | re.S)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with nothing of ours."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python, constraints = folder / "bin/python", ROOT / "constraints.txt"
    install = ["-m", "pip", "install", "-q", "-c", str(constraints), "onnxruntime", "numpy"]
    subprocess.run([str(python), *install], check=True)
    return python


def test_the_script_runs_an_exported_network(bare: Path, tmp_path: Path) -> None:
    scripts = [text for text in SCRIPT.findall((ROOT / "README.md").read_text()) if "onnx" in text]
    assert len(scripts) == 1
    folder = tmp_path / "models/exported/pruned"
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    network = ESPCN(width=4, scale=2).eval()
    program = traced(network, (1, 1, 16, 16), dict.fromkeys((0, 2, 3)))
    write_onnx(program, folder / "network.onnx", {"task": "upsampling", "scale": 2})
    done = subprocess.run(
        [str(bare), "-c", scripts[0]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "'scale': '2'" in done.stdout
    assert "(1, 1, 360, 640)" in done.stdout
    absent = subprocess.run([str(bare), "-c", "import torch"], capture_output=True, check=False)
    assert absent.returncode != 0, "the environment is bare"
