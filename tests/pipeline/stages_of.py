"""Names of stages of the tiny pipeline, and whether exactly those ran that should."""

from tests.pipeline.project import Ran

LAST = ("recover", "export", "evaluate")
REST = ("prune", *LAST)
ALL = ("sparsify", *REST)
STEPS = ("step1", "step2")
QPS = (22, 27, 32, 37)
SCORES = ("magnitude", "synflow", "gradient", "random")

END = {
    "select",
    "codec",
    "control@longer",
    "control@scratch",
    "summarise",
    "plot",
    "track",
}
# `select` gives the same model when only figures of other steps change, and then this may stay.
MAY_STAY = {"control@longer", "control@scratch"}


def step(name: str, *stages: str) -> set[str]:
    """Stages of one step."""
    return {f"{stage}@{name}" for stage in stages}


def of_steps(*stages: str) -> set[str]:
    """Stages of both steps."""
    return step("step1", *stages) | step("step2", *stages)


EVERY = (
    {"prepare", "graph", "costs", "schedule", "finetune", "export_dense", "sensitivity"}
    | {"tradeoff", "quantise"}
    | {f"encode@{qp}" for qp in QPS}
    | {f"sweep@{score}" for score in SCORES}
    | of_steps(*ALL)
    | END
)


def everything_but(*stages: str) -> set[str]:
    """All stages of the pipeline but those, by name or by what stands before the `@`."""
    return {name for name in EVERY if name.partition("@")[0] not in stages}


def assert_reran(ran: Ran, expected: set[str]) -> None:
    """The stages that ran are those expected; where none are, nothing came from the cache."""
    assert set(ran.stages) | MAY_STAY == expected | MAY_STAY, ran.text
    assert expected or not ran.cached, ran.text
