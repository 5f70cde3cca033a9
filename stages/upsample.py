"""Enlarge a video, a picture or a folder of pictures: `python -m stages.upsample INPUT OUTPUT`."""

import argparse
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from tqdm import tqdm

from stages.artifacts import SELECTED_MODEL, fresh_file, fresh_folder
from stages.device import device_for
from stages.errors import UserError
from stages.networks.saved import TRUST, About, load_network
from stages.running import run_stage
from stages.settings import Training, trusted_here
from stages.upscaling.enlarger import Enlarger, scale_of
from stages.upscaling.frames import enlarge_frames
from stages.upscaling.paths import is_picture, refuse_paths
from stages.upscaling.pictures import enlarge_picture, picture_names
from stages.upscaling.timing import refuse_uneven
from stages.upscaling.videos import RAW, SUFFIXES, Y4M, write_video
from stages.video.decoding import decoded
from stages.video.frames import BITS, Format
from stages.video.resizing import resized_format


def main() -> None:
    """Write the output, and say what it is and how long it took."""
    arguments = _arguments()
    refuse_paths(arguments.input, arguments.output)
    raw = _raw_format(arguments)
    enlarger = _enlarger(arguments)
    started = time.monotonic()
    if arguments.input.is_dir():
        count, what = _pictures(arguments.input, arguments.output, enlarger)
    elif is_picture(arguments.input):
        with fresh_file(arguments.output) as partial:
            enlarge_picture(arguments.input, partial, enlarger)
        count, what = 1, f"1 picture, {enlarger.scale} times larger each way"
    else:
        count, what = _video(arguments, raw, enlarger)
    print(f"{arguments.output}: {what}, {(time.monotonic() - started) / count:.3g} s each")


def _arguments() -> argparse.Namespace:
    kinds = ", ".join(f"{suffix} ({what})" for suffix, what in SUFFIXES.items())
    parser = argparse.ArgumentParser(
        prog="python -m stages.upsample",
        description="Enlarge a video, a picture or a folder of pictures, as many times as the "
        "model does: luma by its network, chroma by bicubic.",
    )
    add = parser.add_argument
    add("input", type=Path, help="a video, or a picture (PNG, JPEG, TIFF) or a folder of them")
    made = f"a video by its suffix: {kinds}; of a picture, a PNG; of a folder, one of PNGs"
    add("output", type=Path, help=made)
    add("--model", type=Path, default=SELECTED_MODEL, help="its folder (%(default)s)")
    tile = "side in pixels of the input (256); 0: whole frames"
    add("--tile", type=_count("--tile", 0), default=256, help=tile)
    add("--batch", type=_count("--batch", 1), default=1, help="frames of a video at once (1)")
    add("--trust", action="append", default=[], help=TRUST)
    add("--device", choices=["auto", "cpu", "cuda", "mps"], default="auto")
    runtime = "onnx and openvino take the exported model, on the CPU (%(default)s)"
    add("--runtime", choices=["torch", "onnx", "openvino"], default="torch", help=runtime)
    raw = parser.add_argument_group(f"what a raw {RAW} input does not say of itself")
    raw.add_argument("--size", help="width and height, such as 1920x1080")
    raw.add_argument("--bits", type=int, choices=BITS, help="of a sample")
    raw.add_argument("--rate", help="frames per second, such as 25 or 30000/1001")
    return parser.parse_args()


def _count(name: str, least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise UserError(f"{name} {text} is no whole number from {least} on: see --help")
        return int(text)

    return read


def _raw_format(arguments: argparse.Namespace) -> Format | None:
    """The format of a raw input; None where the input says it itself."""
    raw_options = (arguments.size, arguments.bits, arguments.rate)
    if arguments.input.is_dir() or arguments.input.suffix.lower() != RAW:
        if any(raw_options):
            raise UserError(f"--size, --bits and --rate are for a raw {RAW} input: leave them out")
        return None
    if not all(raw_options):
        raise UserError(
            f"input {arguments.input} is raw: give --size, --bits and --rate, all three"
        )
    try:
        width, height = (int(side) for side in arguments.size.split("x"))
        rate = Fraction(arguments.rate)
        if min(width, height) <= 0 or rate <= 0:
            raise ValueError
    except (ValueError, ZeroDivisionError):
        raise UserError(
            f"--size {arguments.size} --rate {arguments.rate} cannot be read: "
            "they look like 1920x1080 and 25 or 30000/1001"
        ) from None
    return Format(width, height, arguments.bits, rate)


def _enlarger(arguments: argparse.Namespace) -> Enlarger:
    try:
        device = device_for(Training(device=arguments.device, precision="no"))
    except UserError:
        raise UserError(f"--device {arguments.device} is not on this machine: use auto") from None
    network, about = load_network(arguments.model, {*trusted_here(), *arguments.trust})
    scale, tile = scale_of(network, about.example_shape), arguments.tile or None
    print(f"model {arguments.model}: {_origin(about)}")
    if arguments.runtime == "torch":
        return Enlarger(network.to(device), scale, tile)
    if arguments.device not in ("auto", "cpu"):
        raise UserError(f"--runtime {arguments.runtime} is for the CPU: leave out --device")
    from stages.exporting.finding import exported_file
    from stages.exporting.in_parts import OnnxInParts

    path = exported_file(arguments.model, arguments.runtime)
    return Enlarger(OnnxInParts(path, arguments.runtime), scale, tile, original=network)


def _origin(about: About) -> str:
    """Which model of the pipeline it is, by what was done to it."""
    prunings = [stage for stage in about.stages if stage.startswith("prune ")]
    if prunings or about.removed:
        made = prunings[-1].removeprefix("prune ") if prunings else about.stages[-1]
        return f"pruned, as {made} left it"
    sparse = "tradeoff" in about.stages
    return f"{'sparse' if sparse else 'dense'}, no channels were removed"


def _video(
    arguments: argparse.Namespace, raw: Format | None, enlarger: Enlarger
) -> tuple[int, str]:
    with decoded(arguments.input, raw) as (form, frames):
        if arguments.input.suffix.lower() not in (RAW, Y4M):  # they hold no times
            refuse_uneven(arguments.input, form.rate)
        larger = resized_format(form, enlarger.scale, 1)
        made = enlarge_frames(frames, form, enlarger, arguments.batch)
        shown = tqdm(made, "frames", unit="frame", disable=None)
        count = write_video(arguments.output, larger, shown, None if raw else arguments.input)
    return count, f"{count} frames of {larger.width} x {larger.height}, {form.bits} bits"


def _pictures(source: Path, target: Path, enlarger: Enlarger) -> tuple[int, str]:
    names = picture_names(source)
    with fresh_folder(target) as folder:
        for name in tqdm(names, "pictures", unit="picture", disable=None):
            enlarge_picture(source / name, (folder / name).with_suffix(".png"), enlarger)
    return len(names), f"{len(names)} pictures, {enlarger.scale} times larger each way"


if __name__ == "__main__":
    run_stage(main)
