"""Fixtures: a tiny project in which the whole pipeline has run, and fresh ones."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.pipeline.project import Project, make_project


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which the whole pipeline has run once."""
    project = make_project(tmp_path_factory.mktemp("once") / "project")
    first = project.repro()
    assert "finetune" in first.stages
    project.commit()
    return project


@pytest.fixture
def project(made_once: Project) -> Iterator[Project]:
    """The project that has run; its params.yaml is put back afterwards, and so are its results."""
    path = made_once.folder / "params.yaml"
    before = path.read_text()
    yield made_once
    path.write_text(before)
    made_once.repro()


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Project]:
    """Make a project in which nothing has run."""
    return lambda: make_project(tmp_path / "project")
