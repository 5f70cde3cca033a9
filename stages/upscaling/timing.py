"""Whether frames come at an even rate: they go from program to program without their times."""

import re
from fractions import Fraction
from pathlib import Path

from stages.errors import UserError
from stages.video.decoding import FIRST
from stages.video.ffmpeg import QUIET, called, opening


def refuse_uneven(path: Path, rate: Fraction) -> None:
    """Raise a `UserError` where a frame's time is more than a frame off its place at that rate.

    At an even rate such frames would fall out of step with the sound.
    """
    source = [*opening(path), "-map", FIRST]
    listing = called([*QUIET, *source, "-c", "copy", "-f", "framecrc", "-"]).stdout
    unit = re.search(r"^#tb 0: (\d+/\d+)", listing, re.MULTILINE)
    times = re.findall(r"^0, *-?\d+, *(-?\d+),", listing, re.MULTILINE)
    found = sorted(int(time) for time in times)
    if unit is None or not found or found[0] < -(2**62):  # bare streams have no times
        return
    seconds = [float((time - found[0]) * Fraction(unit[1])) for time in found]
    for number, second in enumerate(seconds):
        if abs(second - number / rate) * rate > 1.001:
            raise UserError(
                f"video {path} has no even frame rate: frame {number} comes at {second:.3f} s, not "
                f"at {float(number / rate):.3f} s; make it even first: "
                f"ffmpeg -i {path.name} -fps_mode cfr OUTPUT"
            )
