"""Measure what narrowing each group alone costs in quality, where the scope asks for it."""

from dataclasses import asdict

from stages import artifacts
from stages.running import run_stage
from stages.settings import load_settings

UNUSED = "pruning.scope is not sensitivity"


def main() -> None:
    """Write a curve of every group: drop of quality on validation over the units that are left."""
    settings = load_settings()
    if settings.pruning.scope != "sensitivity":
        artifacts.write_json(artifacts.SENSITIVITY, {"unused": UNUSED})
        print(f"no sensitivity: {UNUSED}")
        return
    from stages.narrowing import sensitivity_curves  # seconds, which most runs can do without

    curves = sensitivity_curves(settings)
    groups = {name: asdict(curve) for name, curve in curves.items()}
    artifacts.write_json(artifacts.SENSITIVITY, {"groups": groups})
    most = max(curves, key=lambda name: curves[name].drop[0])
    lost, left = curves[most].drop[0], curves[most].left[0]
    print(f"{len(curves)} groups; most sensitive: {most}, {lost:.4f} lost with {left} units left")


if __name__ == "__main__":
    run_stage(main)
