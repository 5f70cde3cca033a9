"""DVC and stages that start at once: forks of a process that has imported what they import.

Importing torch takes longer than most stages of the tiny project. Here it is done once: what is
called as `dvc` or `python` hands its work to the process, which forks; the fork imports the
project's own code and runs it. What is no stage, or wants other threads, is run by the real
interpreter. In the forks DVC writes its lock by libyaml, which takes a fifth of the time.

As a program: `python -m tests.pipeline.warm SOCKET`.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

THREADS = "1"  # of OpenMP: read when torch is imported, so it is the same for all forks
IMPORTED = (
    "accelerate", "cv2", "dvc.cli.parser", "dvc.commands.repro", "dvc.repo.experiments",
    "dvc.repo.reproduce", "dvc.stage.run", "mlflow", "onnx", "safetensors.torch", "scipy.optimize",
    "seaborn", "skimage.metrics", "torchvision",
)  # fmt: skip
CLIENT = """#!{python} -SEs
import json, os, socket, sys
name, *command = sys.argv
stage = command[:1] == ["-m"] and command[1].startswith("stages.")
if os.path.basename(name) == "dvc":
    command = ["-m", "dvc", *command]
elif not stage or os.environ.get("OMP_NUM_THREADS") != "{threads}":
    os.execv("{python}", ["{python}", *command])
server = socket.socket(socket.AF_UNIX)
server.connect("{address}")
socket.send_fds(server, [b"."], [0, 1, 2])
server.sendall(json.dumps([os.getcwd(), command[1:], dict(os.environ)]).encode())
server.shutdown(socket.SHUT_WR)
sys.exit(int(server.recv(4) or 70))
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    """Start the process, and write a `python` and a `dvc` into `folder` that hand work to it."""
    address = folder / "socket"
    environment = {**os.environ, "OMP_NUM_THREADS": THREADS, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "tests.pipeline.warm", str(address)]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], env=environment)
    text = CLIENT.format(python=sys.executable, threads=THREADS, address=address)
    for name in ("python", "dvc"):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    while not address.exists():
        assert process.poll() is None, "the process that stages are forked from has ended"
        time.sleep(0.05)
    return process


def serve(address: str) -> list[str]:
    """Wait for stages; returns in a fork, once for each, with its module and arguments.

    What was imported is frozen: a fork that collected it as garbage would copy all of it.
    """
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        asked, _ = listener.accept()
        if not os.fork():
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _become(asked)
        asked.close()


def _become(asked: socket.socket) -> list[str]:
    """Be the stage in a fork, and in its parent wait for it and tell how it ended."""
    _, files, _, _ = socket.recv_fds(asked, 1, 3)
    folder, command, environment = json.loads(asked.makefile("rb").read())
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        asked.sendall(str(os.waitstatus_to_exitcode(status) & 0xFF).encode())
        os._exit(0)
    asked.close()
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder
    return list(command)


def write_locks_fast() -> None:
    """Let DVC, in this process, write `dvc.lock` by libyaml: the same but for blanks at ends."""
    import dvc.dvcfile
    from ruamel.yaml import YAML

    yaml, slowly = YAML(typ="safe"), dvc.dvcfile.modify_yaml
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False
    null, mapping = "tag:yaml.org,2002:null", yaml.representer.represent_dict
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar(null, ""))
    yaml.representer.add_representer(OrderedDict, lambda _, value: mapping(dict(value)))

    @contextmanager
    def modify(path: str, fs: Any = None) -> Iterator[dict[str, Any]]:
        lock = Path(path)
        if lock.name != "dvc.lock":
            with slowly(path, fs=fs) as content:
                yield content
            return
        content = yaml.load(lock) if lock.exists() else {}
        yield content
        yaml.dump(content, lock)

    dvc.dvcfile.modify_yaml = modify


def run(module: str, *arguments: str) -> int:
    """Run a module as the interpreter does; returns its exit code, with all that it left done."""
    code: int | str | None = 0
    sys.argv = [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as left:
        code = left.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code or 0


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    write_locks_fast()
    os._exit(run(*serve(sys.argv[1])))  # taking an interpreter with torch apart takes a second
