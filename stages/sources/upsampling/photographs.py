"""The natural pictures inside the scikit-image wheel: nothing to download."""

from pathlib import Path

from stages.datasets.pictures import on_grid, read_luma, resize
from stages.datasets.upsampling.samples import Picture
from stages.errors import UserError

# Split by picture. The stereo views show one scene, so they stay in one part.
PARTS = {
    "train": (
        "brick.png",
        "coins.png",
        "grass.png",
        "gravel.png",
        "hubble_deep_field.jpg",
        "ihc.png",
        "moon.png",
        "motorcycle_left.png",
        "motorcycle_right.png",
        "retina.jpg",
    ),
    "validation": ("camera.png", "rocket.jpg"),
    "test": ("astronaut.png", "chelsea.png", "coffee.png"),
}


def photographs() -> dict[str, list[Picture]]:
    """Read all packaged pictures, by part.

    Lossless ones are taken as they are. JPEG ones are halved first: at full size the network
    would learn the coding noise of the high-resolution side.
    """
    folder = _package_folder()
    return {part: [_read(folder / name) for name in names] for part, names in PARTS.items()}


def _package_folder() -> Path:
    import skimage.data

    return Path(skimage.data.__file__).parent


def _read(path: Path) -> Picture:
    if not path.is_file():
        raise UserError(f"scikit-image came without {path.name}: install the pinned version")
    luma, bits = read_luma(path)
    if path.suffix == ".jpg":
        height, width = luma.shape
        luma = on_grid(resize(luma, height // 2, width // 2, "box"), bits)
    return Picture(path.stem, luma, bits, path=path)
