"""MLflow servers that fail: no run of the pipeline fails by them, and no credentials are told."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stages import artifacts
from stages.settings import load_settings
from stages.tracking.deadline import TrackingError, log_within, without_credentials
from stages.tracking.results import Result
from tests.test_tracking import ROOT, make_results, written

PASSWORD = "s3cr%40t"  # as an address spells it


@pytest.mark.slow
def test_a_server_that_does_not_answer_fails_no_run(
    tmp_path: Path, repository_tree: dict[str, Any]
) -> None:
    make_results(tmp_path, repository_tree)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "DVC"))}
    uri = f"http://me:{PASSWORD}@127.0.0.1:9"
    environment |= {"MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "stages.track"], cwd=tmp_path, env=environment, timeout=120,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert written(tmp_path)["run_id"] is None
    assert "127.0.0.1" in written(tmp_path)["reason"]
    assert not (tmp_path / "mlflow.db").exists()
    for text in (done.stdout, done.stderr, (tmp_path / artifacts.TRACKED_RUN).read_text()):
        assert "s3cr" not in text
        assert "me:" not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach https://me:s3cr%40t@host:1/a", "cannot reach https://host:1/a"),
        ("password 's3cr@t' is wrong", "password '***' is wrong"),
        ("token t0ken refused", "token *** refused"),
        ("https://other:word@elsewhere, http://host/a@b", "https://elsewhere, http://host/a@b"),
        ("nothing to hide", "nothing to hide"),
    ],
)
def test_credentials_are_not_told(monkeypatch: pytest.MonkeyPatch, text: str, shown: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"https://me:{PASSWORD}@host")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    assert without_credentials(text) == shown


@contextmanager
def dripping_server() -> Iterator[str]:
    """A server whose answer never ends, so that no time-out of a single read helps."""

    class Drip(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            while not ended.wait(0.2):
                self.wfile.write(b" ")

        def log_message(self, *arguments: Any) -> None:
            pass

    ended = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Drip) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        ended.set()
        server.shutdown()


@pytest.mark.slow
def test_one_deadline_is_over_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = Result("digest", "name", {}, {}, {}, [], {})
    with dripping_server() as drips:
        for uri in (drips, f"sqlite:///{tmp_path}"):  # a folder is no database
            monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
            with pytest.raises(TrackingError, match="no answer within 2 s"):
                log_within(result, "pruneline", seconds=2)


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a/b", "a\\b", "..", "", "."])
def test_an_experiment_that_is_a_path_is_refused(
    workspace: Path, tree: dict[str, Any], write_params: Any, refused: Any, name: str
) -> None:
    tree["tracking"]["experiment"] = name
    write_params(tree)
    with refused("tracking.experiment", "plain name"):
        load_settings()
