"""Sections on data: where they come from, batches, and what costs are stated for."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from stages.settings.section import (
    QP,
    AnyCount,
    ByTask,
    CodecName,
    Count,
    Even,
    NotNegative,
    Positive,
    Section,
    Share,
    all_differ,
)


class Parts(Section):
    """Shares of the data that are held out."""

    validation: Share
    test: Share

    @model_validator(mode="after")
    def _leave_something_to_train(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError("validation + test must stay below 1: the rest is for training")
        return self


class RawVideo(Section):
    """What `.yuv` files do not say: height and width, bits per sample (4:2:0), frames a second."""

    frame: tuple[Even, Even]
    bits: Literal[8, 10]
    rate: Positive


class Video(Section):
    """Which frames of a video are used: `count` from `first` on (none: to the end), of which one
    in `stride` becomes a picture."""

    first: AnyCount
    count: Count | None
    stride: Count
    raw: RawVideo | None


class Coded(Section):
    """Low-resolution versions as a decoder hands them over, one a QP, beside the clean one."""

    codec: CodecName
    qps: Annotated[tuple[QP, ...], AfterValidator(all_differ)]
    clean: bool

    @model_validator(mode="after")
    def _leave_something(self) -> Self:
        if not (self.qps or self.clean):
            raise ValueError("clean: without qps, clean versions are all there is: set it true")
        return self


class UpsamplingData(Parts):
    """Pictures or video, and how low-resolution versions are made of them.

    `sequence_frames` is how long test sequences are, at most.
    """

    source: Literal["photographs", "folder", "video"]
    scale: Literal[2, 3, 4]
    filter: Literal["bicubic", "lanczos", "bilinear", "box"]
    coded: Coded
    sequence_frames: Count
    video: Video


Decibels = Annotated[float, Field(ge=-100, le=100)]


class Radio(Section):
    """Synthesised radio signals: `signals` of every modulation at every SNR, and their channel.

    `offset` is the largest carrier offset in cycles per sample, `echoes` how many delayed copies
    arrive, `echo_gain` the standard deviation of each one's amplitude.
    """

    view: Literal["iq", "spectrogram"]
    snrs_db: Annotated[tuple[Decibels, ...], Field(min_length=1)]
    signals: Count
    length: Annotated[int, Field(ge=128)]
    samples_per_symbol: Annotated[int, Field(ge=2, le=32)]
    offset: Annotated[float, Field(ge=0, le=0.5)]
    echoes: AnyCount
    echo_gain: NotNegative

    @model_validator(mode="after")
    def _snrs_differ(self) -> Self:
        if len({round(snr, 3) for snr in self.snrs_db}) < len(self.snrs_db):
            raise ValueError("snrs_db: names one of them twice")
        return self


class Pictures(Section):
    """How pictures are read: `side` pixels each way (none: as they are), 1 or 3 channels."""

    side: Annotated[int, Field(ge=4)] | None
    channels: Literal[1, 3]


class ClassificationData(Parts):
    """Labelled signals or pictures."""

    source: Literal["modulations", "digits", "folder", "arrays"]
    modulations: Radio
    pictures: Pictures


class Data(ByTask):
    """Where data come from; `folder` holds the user's own."""

    folder: Path
    upsampling: UpsamplingData
    classification: ClassificationData


class UpsamplingBatches(Section):
    """How training patches are cut, chosen and varied; `patch` in low-resolution pixels."""

    batch: Count
    patch: Annotated[int, Field(ge=4)]
    choose: Literal["random", "detail"]
    rotate: bool
    mirror: bool
    noise: Annotated[float, Field(ge=0, le=1)]


class ClassificationBatches(Section):
    """How samples are varied: moved by up to `shift` positions, mirrored, with added noise."""

    batch: Count
    shift: AnyCount
    mirror: bool
    noise: Annotated[float, Field(ge=0, le=1)]


class Batches(ByTask):
    """Training batches of each task."""

    upsampling: UpsamplingBatches
    classification: ClassificationBatches


class UpsamplingEvaluation(Section):
    """Frames (height, width, at low resolution) that costs are stated for."""

    macs_frame: tuple[Count, Count]
    latency_frame: tuple[Count, Count]
    latency_runs: Count


class ClassificationEvaluation(Section):
    """How many samples at once latency is measured on, and how often."""

    latency_batch: Count
    latency_runs: Count


class Evaluation(ByTask):
    """What costs are stated for, by task."""

    upsampling: UpsamplingEvaluation
    classification: ClassificationEvaluation
