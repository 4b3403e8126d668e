"""Interrupted, killed, resumed: the same weights as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

SETTINGS = (
    "model.dropout=0.1",
    "optimizer=nadam",
    "trainer.max_epochs=400",
    "trainer.check_val_every_n_epoch=7",
    "logger=none",
)


def start(*arguments):
    return subprocess.Popen([sys.executable, "-m", "fit.train", *arguments], stdout=subprocess.PIPE, text=True)


def wait_for(path, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        os.sched_yield()


def same(first, second):
    return torch.equal(first["theta"], second["theta"]) and all(
        torch.equal(first["optimizer"][key], second["optimizer"][key]) for key in first["optimizer"]
    )


def test_killed_and_resumed_is_bitwise_the_run_never_killed(fit):
    whole = fit(*SETTINGS, "hydra.run.dir=whole")
    process = start(*SETTINGS, "hydra.run.dir=killed")
    wait_for(Path("killed/checkpoints/last.ckpt"))
    process.kill()
    process.communicate()
    assert not Path("killed/metrics.json").exists()
    resumed = fit("resume=killed")
    assert resumed.code == 0
    assert same(whole.checkpoint(), resumed.checkpoint())
    assert resumed.history_text == whole.history_text
    assert resumed.metrics["val/loss"] == whole.metrics["val/loss"]


def test_killed_before_the_first_checkpoint_starts_again(fit):
    whole = fit(*SETTINGS, "hydra.run.dir=whole", "trainer.max_epochs=20")
    run = fit(*SETTINGS, "hydra.run.dir=lost", "trainer.max_epochs=20")
    for path in (run.folder / "checkpoints").iterdir():
        path.unlink()
    assert same(whole.checkpoint(), fit("resume=lost").checkpoint())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_saves_and_says_how_to_go_on(fit, number):
    process = start(*SETTINGS, "trainer.max_epochs=100000", "hydra.run.dir=stopped")
    wait_for(Path("stopped/checkpoints/last.ckpt"))
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "python -m fit.train resume=stopped" in out
    epoch = torch.load("stopped/checkpoints/last.ckpt", weights_only=True)["epoch"]
    resumed = fit("resume=stopped", f"trainer.max_epochs={epoch + 10}")
    assert resumed.metrics["epochs"] == epoch + 10


def test_resumed_to_more_epochs_it_goes_on_where_it_was(fit):
    settings = (*SETTINGS, "scheduler=constant")
    long = fit(*settings, "trainer.max_epochs=42", "hydra.run.dir=long")
    fit(*settings, "trainer.max_epochs=21", "hydra.run.dir=short")
    extended = fit("resume=short", "trainer.max_epochs=42")
    assert same(long.checkpoint(), extended.checkpoint())
    assert extended.history_text == long.history_text
    assert fit("resume=short").metrics["epochs"] == 42


def test_what_does_not_fit_is_refused(fit):
    run = fit(*SETTINGS, "trainer.max_epochs=2", "hydra.run.dir=done")
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    for typed, words in {
        "model.hidden=[8]": "model.hidden=[8] does not fit done",
        "data=xy_ring": "data._target_=fit.data.xy_ring.XYRing does not fit done",
        "optimizer.lr=1": "optimizer.lr=1 does not fit done",
    }.items():
        refused = fit("resume=done", typed)
        assert refused.code == 2
        assert words in refused.err
    assert {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("damage", [lambda content: content[:1000], lambda content: b"", lambda content: b"x" * 5000])
def test_a_damaged_checkpoint_is_refused(fit, damage):
    run = fit(*SETTINGS, "trainer.max_epochs=2", "hydra.run.dir=done")
    path = run.folder / "checkpoints" / "last.ckpt"
    path.write_bytes(damage(path.read_bytes()))
    refused = fit("resume=done")
    assert refused.code == 2
    assert "last.ckpt is cut off or damaged" in refused.err


def test_a_diverged_run_is_not_resumed(fit):
    run = fit("experiment=a3_exploding", "hydra.run.dir=burst", "logger=none")
    refused = fit("resume=burst", "trainer.max_epochs=1000")
    assert run.code == 0
    assert refused.code == 2
    assert "diverged at epoch 11" in refused.err


def test_a_file_is_never_torn(tmp_path):
    script = (
        "import sys; from pathlib import Path; from fit.folder import write_atomically\n"
        "n = 0\n"
        "while True: n += 1; write_atomically(Path(sys.argv[1]), bytes([n % 256]) * 3_000_000)"
    )
    path = tmp_path / "file"
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", script, str(path)])
        wait_for(path)
        process.kill()
        process.wait()
        content = path.read_bytes()
        assert len(content) == 3_000_000
        assert len(set(content)) == 1
        path.unlink()
