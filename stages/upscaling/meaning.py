"""What samples of a video mean: range, colours, where chroma lies, the shape of a pixel."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from stages.video.decoding import FIRST, KINDS
from stages.video.ffmpeg import opening, run

# Elements of Matroska (RFC 9559), which has the numbers of ITU-T H.273 for colours, as ffmpeg does.
COLOUR = (0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0x55B0)  # Segment, Tracks, TrackEntry, Video, Colour
COLOURS = {0x55B1: "colorspace", 0x55BB: "color_primaries", 0x55BA: "color_trc"}
ACROSS, DOWN = 0x55B7, 0x55B8
LOCATIONS = {(1, 2): "left", (2, 2): "center", (1, 1): "topleft", (2, 1): "top"}
RANGES = {"LIMITED": "tv", "FULL": "pc"}  # luma of 16 to 235, or 0 to 255, as Y4M calls them
OF_RGB = 0  # the matrix that is none


def meaning(source: Path) -> list[str]:
    """What a source says of its samples, as ffmpeg's options: our frames do not carry it.

    Read from one frame that ffmpeg writes twice, without titles: uncompressed Matroska has its
    colours, and the head of a Y4M the range and the shape of a pixel as `decoded` reads them.

    Raises:
        UserError: if there is no such frame.
    """
    with tempfile.TemporaryDirectory() as name:
        native, read = Path(name) / "native.mkv", Path(name) / "read.y4m"
        one = ["-map", FIRST, "-frames:v", "1"]
        bare = ["-map_metadata", "-1", "-map_chapters", "-1"]
        raw = ["-c:v", "rawvideo", "-allow_raw_vfw", "1", "-f", "matroska", str(native)]
        head = [*KINDS, "-strict", "-1", "-f", "yuv4mpegpipe", str(read)]
        run([*opening(source), *one, *bare, *raw, *one, *head], f"video {source}")
        with read.open("rb") as stream:
            words = stream.readline().decode().split()
        settings = _colours_of(native.read_bytes())
    for word in words:
        if ours := RANGES.get(word.removeprefix("XCOLORRANGE=")):
            settings["range"] = ours
    return _options(settings, next((word[1:] for word in words if word[0] == "A"), "0:0"))


def _options(settings: dict[str, str], shape: str) -> list[str]:
    filters = [f"setparams={':'.join(f'{k}={v}' for k, v in settings.items())}"] if settings else []
    if "0" not in shape.split(":"):  # 0:0 is unknown
        filters.append(f"setsar={shape.replace(':', '/')}")
    # An encoder that is not told the range has samples converted to its own.
    kept = ["-color_range", settings["range"]] if "range" in settings else []
    return [*(["-vf", ",".join(filters)] if filters else []), *kept]


def _colours_of(matroska: bytes) -> dict[str, str]:
    """Numbers of colours, and where chroma lies; none of RGB, which has become luma and chroma."""
    content = matroska
    for element in COLOUR:
        content = dict(_elements(content, until=element)).get(element, b"")
    numbers = {element: int.from_bytes(value, "big") for element, value in _elements(content)}
    named = {name: str(numbers[element]) for element, name in COLOURS.items() if element in numbers}
    if named.get("colorspace") == str(OF_RGB):
        return {}
    place = LOCATIONS.get((numbers.get(ACROSS, 0), numbers.get(DOWN, 0)))
    return named | ({"chroma_location": place} if place else {})


def _elements(content: bytes, until: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Elements that lie side by side: each a number, a size and what it holds."""
    at, element = 0, None
    while at < len(content) and (until is None or element != until):
        length = 9 - content[at].bit_length()  # of a number: as many bytes as it has leading zeros
        element, at = int.from_bytes(content[at : at + length], "big"), at + length
        length = 9 - content[at].bit_length()
        size = int.from_bytes(content[at : at + length], "big") - (1 << 7 * length)
        at += length
        yield element, content[at : at + size]
        at += size
