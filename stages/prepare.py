"""Decode, check and split the source, once."""

from stages import artifacts
from stages.running import run_stage
from stages.settings import load_settings
from stages.sources.source import source_of


def main() -> None:
    """Write the prepared data, and test sequences where outputs are frames of video."""
    artifacts.refuse_unwritable()
    source = source_of(load_settings())
    with artifacts.fresh_folder(artifacts.PREPARED) as folder:
        print(f"prepared {source.write_samples(folder)}")
    with artifacts.fresh_folder(artifacts.SEQUENCES) as folder:
        names = source.write_sequences(folder)
    print(f"test sequences: {', '.join(names) or 'none'}")
    if not names:
        artifacts.write_nothing(artifacts.SEQUENCES, source.no_sequences)


if __name__ == "__main__":
    run_stage(main)
