"""Encode the test sequences at a QP, with every codec in every mode."""

import sys

from stages import artifacts
from stages.errors import UserError
from stages.running import run_stage


def main() -> None:
    """Write the streams of the QP that the argument names; only a note where there is no video."""
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        raise UserError("name one QP: python -m stages.encode QP")
    qp = int(sys.argv[1])
    if reason := artifacts.why_nothing(artifacts.SEQUENCES):
        artifacts.write_nothing(artifacts.coded_path(qp), reason)
        print(f"nothing to encode: {reason}")
    else:
        _encode(qp)


def _encode(qp: int) -> None:
    # Imported here: where there is nothing to encode, importing would be all that takes time.
    from stages.codecs.streams import encode_all
    from stages.settings import load_settings
    from stages.video.sequences import read_sequences

    sequences, codec = read_sequences(artifacts.SEQUENCES), load_settings().codec
    with artifacts.fresh_folder(artifacts.coded_path(qp)) as folder:
        count = encode_all(sequences, codec, qp, folder)
    print(f"{count} streams at QP {qp}")


if __name__ == "__main__":
    run_stage(main)
