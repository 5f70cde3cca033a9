"""Write the dense model for other runtimes: the one that time is compared with."""

from stages import artifacts
from stages.model_export import export_to
from stages.running import run_stage
from stages.settings import DENSE, load_settings


def main() -> None:
    """Write its files, and what was kept."""
    export_to(artifacts.export_path(DENSE), artifacts.DENSE_MODEL, DENSE, load_settings())


if __name__ == "__main__":
    run_stage(main)
