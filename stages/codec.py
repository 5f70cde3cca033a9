"""Judge up-sampling filters behind real codecs: rate, Y-PSNR, VMAF, and deltas against bicubic."""

from stages import artifacts
from stages.running import run_stage


def main() -> None:
    """Write tables and crops; only a note where there is no video, at no cost."""
    if reason := artifacts.why_nothing(artifacts.SEQUENCES):
        artifacts.write_nothing(artifacts.CODEC, reason)
        print(f"nothing to judge: {reason}")
    else:
        _judge()


def _judge() -> None:
    # Imported here: where there is nothing to judge, importing would be all that takes time.
    from stages.codecs.bench import Bench
    from stages.device import device_for
    from stages.measuring.digest import model_digest
    from stages.measuring.rate_distortion import MEAN, deltas
    from stages.networks.saved import load_network
    from stages.settings import load_settings

    settings = load_settings()
    bench, device = Bench(settings), device_for(settings.training)
    folders = {"dense": artifacts.DENSE_MODEL, "pruned": artifacts.SELECTED_MODEL}
    if len(set(map(model_digest, folders.values()))) == 1:  # the dense one was selected
        del folders["pruned"]
    networks = {
        name: load_network(path, settings.trusted)[0].to(device) for name, path in folders.items()
    }
    with artifacts.fresh_folder(artifacts.CODEC) as folder:
        crops = folder / artifacts.CROPS
        rows = bench.measure(networks, artifacts.SEQUENCES, artifacts.CODED, crops)
        artifacts.write_csv(folder / artifacts.POINTS, rows)
        found = deltas(rows)
        artifacts.write_csv(folder / artifacts.DELTAS, found)
    for row in found:
        if row["sequence"] == MEAN and row["filter"] in networks:
            text = "unknown" if row["bd_rate"] is None else f"{row['bd_rate']:+.4f}"
            print(f"{row['codec']} {row['mode']}: {row['filter']} BD-rate {text}")


if __name__ == "__main__":
    run_stage(main)
