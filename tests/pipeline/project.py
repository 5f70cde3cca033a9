"""The real pipeline, on a tiny configuration, in a folder of its own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from ruamel.yaml import YAML

from tests.tiny import TINY, set_dotted

ROOT = Path(__file__).parents[2]
CODE = (
    "dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", "stages", "data/own", "models/own",
    "models/initial",
)  # fmt: skip

# What the whole pipeline needs beside: little sparsity learning, criteria that any model keeps.
WHOLE: dict[str, Any] = {
    "recovery.upsampling.learning_rate": 0.001,
    "procedure": "standard",
    "pruning.minimum_channels": 1,
    "sparsity.upsampling.iterations": 2,
    "sparsity.upsampling.grow_epochs": 1,
    "criterion.upsampling.limit": 100.0,
    "sparsity.classification.iterations": 2,
    "sparsity.classification.grow_epochs": 1,
    "criterion.classification": {"rule": "drop", "limit": 1.0},
}


@dataclass(frozen=True)
class Ran:
    """What a command did: stages that ran, stages from the run cache, all that it printed."""

    code: int
    stages: list[str]
    cached: list[str]
    text: str


@dataclass(frozen=True)
class Project:
    """A project in `folder`, and the folder of the `python` and the `dvc` that it is run with."""

    folder: Path
    python: Path

    def call(self, *command: str, **environment: str) -> Ran:
        path = f"{self.python}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = {**os.environ, "PATH": path}
        # Networks this small are faster without threads that wait for each other.
        env |= {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1", "DVC_NO_ANALYTICS": "1"}
        env |= environment
        done = subprocess.run(
            command, cwd=self.folder, env=env, text=True, capture_output=True, check=False
        )
        text = done.stdout + done.stderr
        return Ran(
            done.returncode,
            re.findall(r"^Running stage '(.+)':", text, re.M),
            re.findall(r"^Stage '(.+)' is cached", text, re.M),
            text,
        )

    def edit(self, **values: Any) -> None:
        """Set dotted names (with `__` for dots) in params.yaml."""
        self.set({name.replace("__", "."): value for name, value in values.items()})

    def set(self, values: dict[str, Any]) -> None:
        yaml, path = YAML(), self.folder / "params.yaml"
        tree = yaml.load(path.read_text())
        for name, value in values.items():
            set_dotted(tree, name, value)
        with path.open("w") as file:
            yaml.dump(tree, file)

    @contextmanager
    def edited(self, path: str, old: str, new: str) -> Iterator[None]:
        """Replace a text in a file inside of the block; the file is put back afterwards."""
        file = self.folder / path
        before = file.read_text()
        assert old in before, f"{path} does not hold {old!r} any more"
        file.write_text(before.replace(old, new))
        try:
            yield
        finally:
            file.write_text(before)

    def commit(self) -> None:
        """Commit all that git does not ignore, as queued experiments need."""
        git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org")
        for command in (("git", "add", "-A"), (*git, "commit", "-qm", "tiny")):
            ran = self.call(*command)
            assert ran.code == 0, ran.text

    def restore(self) -> None:
        """Put back what was committed, and the results that belong to it, if anything changed."""
        if self.call("git", "status", "--porcelain").text:
            for command in (
                ("git", "checkout", "-q", "."),
                ("git", "clean", "-fdq", "metrics/figures"),  # figures that it does not have
                ("dvc", "checkout", "-q", "--force"),
            ):
                ran = self.call(*command)
                assert ran.code == 0, ran.text

    def repro(self) -> Ran:
        ran = self.call("dvc", "repro")
        assert ran.code == 0, ran.text
        return ran


def make_project(folder: Path, python: Path) -> Project:
    """Copy the code, set the tiny configuration, make pictures, and commit."""
    for name in CODE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    project = Project(folder, python)
    project.set(TINY | WHOLE)
    _write_pictures(folder / "data/own")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["git", "add", "-f", "data/own"]):
        ran = project.call(*command)
        assert ran.code == 0, ran.text
    project.commit()
    return project


def _write_pictures(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(4):
        picture = cv2.GaussianBlur(rng.random((132, 144)), (0, 0), 1.5)
        picture = cv2.normalize(picture, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
        cv2.imwrite(str(folder / f"p{number}.png"), picture)
