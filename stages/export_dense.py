"""Write the dense model for other runtimes: the one that time is compared with."""

from stages import artifacts
from stages.running import run_stage
from stages.settings import DENSE, load_settings


def main() -> None:
    """Write its files, and what was kept."""
    settings, folder = load_settings(), artifacts.export_path(DENSE)
    if not settings.exports.enabled:
        artifacts.write_no_export(folder, "exports.enabled is false")
        print("exports.enabled is false")
        return
    from stages.model_export import export_to  # seconds, where there is nothing to export

    export_to(folder, artifacts.DENSE_MODEL, DENSE, settings)


if __name__ == "__main__":
    run_stage(main)
