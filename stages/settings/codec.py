"""The section on codecs that up-sampling is judged behind."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from stages.settings.section import QP, CodecName, Section, all_differ

Mode = Literal["low_delay", "random_access"]


class Presets(Section):
    """How much time each encoder takes."""

    hevc: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow",
                  "slower", "veryslow"]  # fmt: skip
    vvc: Literal["faster", "fast", "medium", "slow", "slower"]


class Codec(Section):
    """Codecs, modes and QPs in which test sequences are coded; whether VMAF is measured."""

    codecs: Annotated[tuple[CodecName, ...], Field(min_length=1), AfterValidator(all_differ)]
    modes: Annotated[tuple[Mode, ...], Field(min_length=1), AfterValidator(all_differ)]
    qps: Annotated[tuple[QP, ...], Field(min_length=4), AfterValidator(all_differ)]
    presets: Presets
    vmaf: bool
