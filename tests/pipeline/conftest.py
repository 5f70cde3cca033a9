"""Fixtures: a tiny project in which the whole pipeline has run, and fresh ones."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pipeline import warm
from tests.pipeline.project import Project, make_project


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a `python` and a `dvc` that start at once."""
    folder = tmp_path_factory.mktemp("python")
    process = warm.start(folder)
    yield folder
    process.kill()


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, python: Path) -> Project:
    """A project in which the whole pipeline has run once."""
    project = make_project(tmp_path_factory.mktemp("once") / "project", python)
    first = project.repro()
    assert "finetune" in first.stages
    project.commit()
    return project


@pytest.fixture
def project(made_once: Project) -> Iterator[Project]:
    """The project that has run; what a test changes is put back afterwards."""
    yield made_once
    made_once.restore()


@pytest.fixture
def fresh(tmp_path: Path, python: Path) -> Callable[[], Project]:
    """Make a project in which nothing has run."""
    return lambda: make_project(tmp_path / "project", python)
