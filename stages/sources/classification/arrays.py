"""Labelled arrays from `.npz` files of the user's own: sensors, audio, radio."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.datasets.classification.samples import Indices, Labelled, Split
from stages.datasets.parts import PARTS, own_folder, shown_files
from stages.errors import UserError

ARRAYS = ("x", "y", "classes", "snr_db")  # what a file may hold


def array_files(folder: Path) -> tuple[Labelled, Split | None]:
    """Read the one `.npz` file of a folder, or its `train.npz`, `validation.npz` and `test.npz`.

    A file holds `x`, numbers of shape (N, C, L) or (N, C, H, W), and `y`, N labels from 0 on; and
    may hold `classes`, their names, and `snr_db`, a number per sample. Nothing is ever unpickled.

    Raises:
        UserError: naming the file and what is wrong in it.
    """
    files = shown_files(folder, own_folder(folder).glob("*.npz"))
    if {path.stem for path in files} == set(PARTS):
        return _joined(folder, [_read(folder / f"{part}.npz") for part in PARTS])
    if len(files) != 1:
        raise UserError(
            f"data folder {folder} holds {len(files)} .npz files: give one, or train.npz, "
            "validation.npz and test.npz"
        )
    return _read(files[0]), None


def _joined(folder: Path, read: Sequence[Labelled]) -> tuple[Labelled, Split]:
    if len({(data.x[0].shape, data.classes, data.snr_db is None) for data in read}) > 1:
        raise UserError(
            f"the parts in {folder} differ in the shape of x, in their classes (save them as "
            "`classes`), or in having snr_db"
        )
    ends = np.cumsum([len(data.y) for data in read])
    parts = np.split(np.arange(ends[-1]), ends[:-1])
    snrs = [data.snr_db for data in read if data.snr_db is not None]
    joined = Labelled(
        np.concatenate([np.asarray(data.x) for data in read]),
        np.concatenate([data.y for data in read]),
        read[0].classes,
        np.concatenate(snrs) if snrs else None,
    )
    return joined, dict(zip(PARTS, parts, strict=True))


def _read(path: Path) -> Labelled:
    try:
        with np.load(path, allow_pickle=False) as stored:
            content = {name: stored[name] for name in ARRAYS if name in stored.files}
    except Exception as error:  # a damaged file raises almost anything
        if "pickle" in str(error) or "Object arrays" in str(error):
            problem = "holds objects, which are never unpickled: save plain numbers by np.savez"
            raise UserError(f"{path} {problem}") from error
        raise UserError(f"{path} is not readable as .npz: {error}") from error
    missing = [name for name in ("x", "y") if name not in content]
    if missing:
        raise UserError(f"{path} has no array called {' and none called '.join(missing)}")
    x, y = _numbers(path, content["x"]), content["y"]
    classes = _checked_labels(path, y, len(x), content.get("classes"))
    snr_db = content.get("snr_db")
    if snr_db is not None and not (
        snr_db.shape == y.shape and snr_db.dtype.kind in "iuf" and np.isfinite(snr_db).all()
    ):
        raise UserError(f"{path}: snr_db must be a number for each of the {len(y)} samples")
    return Labelled(
        x, y.astype(np.int64), classes, None if snr_db is None else snr_db.astype(np.float32)
    )


def _numbers(path: Path, x: NDArray[np.generic]) -> NDArray[np.float32]:
    if x.ndim not in (3, 4) or x.dtype.kind not in "biuf" or not x.size:
        raise UserError(
            f"{path}: x has shape {x.shape} and type {x.dtype}; real numbers of shape (N, C, L) or "
            "(N, C, H, W) are needed"
        )
    values = x.astype(np.float32)
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, x.ndim))))[0])
        raise UserError(f"{path}: sample {bad} of x holds values that are no numbers (NaN or inf)")
    return values


def _checked_labels(
    path: Path, y: Indices, samples: int, names: NDArray[np.generic] | None
) -> tuple[str, ...]:
    if y.shape != (samples,) or y.dtype.kind not in "iu":
        raise UserError(
            f"{path}: y has shape {y.shape} and type {y.dtype}; {samples} whole numbers are needed"
        )
    if names is None:
        if y.max() >= samples:
            raise UserError(
                f"{path}: label {y.max()} is out of range: {samples} samples are fewer than "
                f"{y.max() + 1} classes"
            )
        names = np.arange(max(0, y.max() + 1))
    classes = tuple(str(name) for name in names.ravel())
    if names.ndim != 1 or len(set(classes)) < len(classes):
        raise UserError(f"{path}: classes must be a list of different names")
    if y.min() < 0 or y.max() >= len(classes):
        wrong = y.min() if y.min() < 0 else y.max()
        raise UserError(
            f"{path}: label {wrong} is out of range: there are {len(classes)} classes, from 0"
        )
    if samples < len(classes):
        raise UserError(f"{path}: {samples} samples are fewer than {len(classes)} classes")
    if len(classes) < 2:
        raise UserError(f"{path}: all labels are {y.min()}: two classes are needed, at least")
    return classes
