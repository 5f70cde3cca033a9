"""Files appear whole or not at all; equal content gives equal bytes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.artifacts import (
    fresh_file,
    fresh_folder,
    read_csv,
    read_json,
    write_csv,
    write_json,
)


def fill_file(path: Path, error: type[BaseException] | None = None) -> None:
    with fresh_file(path) as partial:
        partial.write_text("new")
        if error:
            raise error


def fill_folder(path: Path, error: type[BaseException] | None = None) -> None:
    with fresh_folder(path) as partial:
        assert list(partial.iterdir()) == []
        (partial / "inside").write_text("new")
        if error:
            raise error


@pytest.mark.parametrize("fill", [fill_file, fill_folder])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_raises_leaves_nothing(
    tmp_path: Path, fill: Callable[..., None], error: type[BaseException]
) -> None:
    with pytest.raises(error):
        fill(tmp_path / "result", error)
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_raises_keeps_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.write_text("former")
    with pytest.raises(RuntimeError):
        fill_file(path, RuntimeError)
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_raises_keeps_the_former_folder(tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.mkdir()
    (path / "former").write_text("former")
    with pytest.raises(RuntimeError):
        fill_folder(path, RuntimeError)
    assert [p.name for p in path.iterdir()] == ["former"]
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_shows_before_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a/b/result"
    with fresh_file(path) as partial:
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_whoever_still_writes_to_a_former_try_does_no_harm(tmp_path: Path) -> None:
    """An encoder goes on for a moment after its parent was killed."""
    path = tmp_path / "result"
    with (tmp_path / ".result.partial").open("w") as former:
        fill_file(path)
        former.write("torn")
    assert path.read_text() == "new"


def test_a_new_folder_takes_the_place_of_the_former(tmp_path: Path) -> None:
    path = tmp_path / "a/result"
    (path / "former").mkdir(parents=True)
    fill_folder(path)
    assert [p.name for p in path.iterdir()] == ["inside"]
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_run_left_does_not_get_in(tmp_path: Path) -> None:
    path = tmp_path / "result"
    with fresh_folder(path) as partial:
        name = partial.name
    (tmp_path / name).mkdir()
    (tmp_path / name / "left over").write_text("old")
    fill_folder(path)
    assert [p.name for p in path.iterdir()] == ["inside"]


def test_equal_content_gives_equal_json(tmp_path: Path) -> None:
    one: dict[str, Any] = {"b": {"y": 1, "x": [2.5, None]}, "a": "é"}
    other = {"a": "é", "b": {"x": [2.5, None], "y": 1}}
    paths = tmp_path / "one.json", tmp_path / "other.json"
    for path, content in zip(paths, (one, other), strict=True):
        write_json(path, content)
        assert read_json(path) == one
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_json_without_a_number_is_refused_and_the_former_stays(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": 1}


@pytest.mark.parametrize("content", [b"{", b"[1]", b"", b"\xff"])
def test_damaged_json_is_refused(tmp_path: Path, refused: Any, content: bytes) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with refused(path, "damaged"):
        read_json(path)


@pytest.mark.parametrize("read", [read_json, read_csv])
def test_a_missing_file_is_refused(
    tmp_path: Path, refused: Any, read: Callable[[Path], Any]
) -> None:
    with refused(tmp_path / "none", "missing"):
        read(tmp_path / "none")


def test_a_table_comes_back(tmp_path: Path) -> None:
    rows = [
        {"name": 'a, "b"\nc', "count": 3, "share": 0.5, "big": 12345678, "none": ""},
        {"name": "é", "count": -1, "share": 1e-9, "big": 0, "none": True},
    ]
    write_csv(tmp_path / "table.csv", rows)
    read = read_csv(tmp_path / "table.csv")
    assert b"\r" not in (tmp_path / "table.csv").read_bytes()
    assert read == [{key: str(value) for key, value in row.items()} for row in rows]
    write_csv(tmp_path / "again.csv", read)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "table.csv").read_bytes()


@pytest.mark.parametrize("value", [2 / 3, 1234567.8, 1e-300, -0.1 - 0.2, 5e22, np.float64(0.1) / 3])
def test_numbers_are_read_back_exactly(tmp_path: Path, value: float) -> None:
    write_csv(tmp_path / "table.csv", [{"share": value}])
    ((share,),) = (row.values() for row in read_csv(tmp_path / "table.csv"))
    assert float(share) == value
