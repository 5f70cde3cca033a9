"""The selected model as a model of MLflow: logged, registered, and served with the same numbers."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import numpy as np
import pytest
import torch
from torch import nn

from stages.exporting.onnx_file import export_onnx
from stages.networks.espcn import ESPCN
from stages.tracking.onnx_model import OnnxModel
from stages.tracking.results import Result, log_result

pytestmark = pytest.mark.slow

SHAPE, AXES = (1, 1, 16, 16), (0, 2, 3)
PATIENCE_S = 120


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return ESPCN(width=4, scale=2).eval()


@pytest.fixture(scope="module")
def logged(
    network: nn.Module, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Where MLflow keeps a run with the model, and the run's id."""
    folder = tmp_path_factory.mktemp("logged")
    export_onnx(network, SHAPE, AXES, folder / "network.onnx")
    model = OnnxModel(folder / "network.onnx", SHAPE, AXES, {"scale": 2}, "pruneline-upsampling")
    result = Result("digest", "a run", {}, {}, {}, [], {}, model=model)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        uri = f"sqlite:///{folder / 'tracked.db'}"
        patch.setenv("MLFLOW_TRACKING_URI", uri)
        yield uri, log_result(result, "pruneline")


def some_luma() -> torch.Tensor:
    return torch.rand(2, 1, 9, 12, generator=torch.Generator().manual_seed(1))


def expected(network: nn.Module) -> np.ndarray:
    with torch.no_grad():
        made: np.ndarray = network(some_luma()).numpy()
    return made


def test_it_has_a_signature_and_is_registered(logged: tuple[str, str]) -> None:
    import mlflow

    uri, run_id = logged
    client = mlflow.MlflowClient(uri)
    (version,) = client.search_model_versions("name = 'pruneline-upsampling'")
    assert version.run_id == run_id
    info = mlflow.models.get_model_info(f"runs:/{run_id}/selected")
    assert info.signature.inputs.inputs[0].shape == (-1, 1, -1, -1)
    assert info.signature.outputs.inputs[0].shape == (-1, 1, -1, -1)
    assert info.metadata == {"scale": 2}


def test_it_loads_and_gives_the_same_numbers(logged: tuple[str, str], network: nn.Module) -> None:
    import mlflow

    model = mlflow.pyfunc.load_model(f"runs:/{logged[1]}/selected")
    made = model.predict(some_luma().numpy())["output"]
    assert np.abs(made - expected(network)).max() < 1e-5


@pytest.fixture
def served(logged: tuple[str, str]) -> Iterator[str]:
    """The address of a server of the model, on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        f"runs:/{logged[1]}/selected",
    ]
    command += ["--env-manager", "local", "-h", "127.0.0.1", "-p", str(port)]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    server = subprocess.Popen(
        command, env={**os.environ, "PATH": path}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield wait_for(f"http://127.0.0.1:{port}", server)
    finally:
        os.killpg(server.pid, 9)
        server.wait()


def wait_for(address: str, server: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and server.poll() is None:
        try:
            urlopen(f"{address}/ping").close()
        except URLError:
            time.sleep(0.5)
        else:
            return address
    raise AssertionError("the server does not answer")


def test_a_server_answers_with_the_same_numbers(served: str, network: nn.Module) -> None:
    body = json.dumps({"inputs": {"input": some_luma().tolist()}}).encode()
    request = Request(f"{served}/invocations", body, {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        content: dict[str, Any] = json.load(answer)
    made = np.array(content["predictions"]["output"])
    assert np.abs(made - expected(network)).max() < 1e-5
