"""Sections on weight pruning: the sweep over sparsities, and the trade-off."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stages.settings.pruning import Method
from stages.settings.section import Count, Positive, Section, Share
from stages.settings.training import Phase

ScoreName = Literal["magnitude", "synflow", "gradient", "random"]
SCORES: tuple[ScoreName, ...] = ("magnitude", "synflow", "gradient", "random")
Kind = Literal["weights", "biases", "normalisation"]


class SynFlow(Section):
    """How SynFlow removes weights: in so many rounds, densities falling on such a schedule."""

    rounds: Count
    schedule: Literal["exponential", "linear"]


class SparseRepair(Section):
    """Repair in closed form of what a mask leaves, on so many training samples.

    `ridge` is how far weights are held back, as a share of the mean square of a layer's inputs.
    """

    method: Method
    samples: Count
    ridge: Positive


class Sweep(Section):
    """One-shot weight pruning over many sparsities, nothing trained.

    Each score gets at most `most_points`; none are closer than `resolution`, and none lie
    above `largest_sparsity`. `include` says what counts as a weight.
    """

    scores: tuple[ScoreName, ...]
    scope: Literal["global", "layer"]
    include: Annotated[tuple[Kind, ...], Field(min_length=1)]
    most_points: Annotated[int, Field(ge=3)]
    resolution: Share
    largest_sparsity: Share
    synflow: SynFlow
    repair: SparseRepair

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        for key, names in (("scores", self.scores), ("include", self.include)):
            if len(set(names)) < len(names):
                raise ValueError(f"{key}: names one of them twice")
        return self


class SparseRecovery(Phase):
    """Training the sparse network with its mask held: at once, or while sparsity grows."""

    mode: Literal["none", "at_once", "gradual"]

    @model_validator(mode="after")
    def _has_time_to_grow(self) -> Self:
        if self.mode == "gradual" and self.epochs < 2:
            raise ValueError(
                "epochs: gradual needs two, one to grow sparsity in and one to hold it"
            )
        return self


class Tradeoff(Section):
    """How a score and a sparsity are decided: by the criterion, by the knee, or as given."""

    rule: Literal["largest", "knee", "given"]
    score: ScoreName | None
    sparsity: Share | None
    recovery: SparseRecovery

    @model_validator(mode="after")
    def _given_is_given(self) -> Self:
        if self.rule == "given" and (self.score is None or self.sparsity is None):
            raise ValueError("rule given needs a score and a sparsity")
        return self
