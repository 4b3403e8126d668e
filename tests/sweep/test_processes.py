"""Sweeps in processes of their own: killed, interrupted, and on Ray."""

import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

pytestmark = pytest.mark.slow

SWEEP = ("data.points=64", "data.batch_size=8,16", "model.hidden=[8]", "optimizer.lr=1e-2,1e-3", "logger=none")
LONG = ("trainer.max_epochs=800", "trainer.check_val_every_n_epoch=20", "sweep.figures=none")


def start(*arguments, **environment):
    command = [sys.executable, "-m", "fit.train", "-m", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )


def finish(*arguments, **environment):
    process = start(*arguments, **environment)
    out, err = process.communicate(timeout=200)
    return process.returncode, out, err


def wait_for(condition, process):
    end = time.monotonic() + 100
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def kill(process):
    process.kill()
    process.communicate()


def table(folder):
    with (Path(folder) / "sweep.csv").open(newline="") as file:
        return {(row["data.batch_size"], row["optimizer.lr"]): row for row in csv.DictReader(file)}


def theta(folder, name="last"):
    return torch.load(Path(folder) / "checkpoints" / f"{name}.ckpt", weights_only=True)["theta"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a sweep that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "s"
    code, _, err = finish(*SWEEP, *LONG, f"hydra.sweep.dir={folder}")
    assert code == 0, err
    return folder


def same(folder, whole):
    ours, theirs = table(folder), table(whole)
    assert ours.keys() == theirs.keys()
    for key, row in ours.items():
        assert row["status"] == "finished"
        assert torch.equal(theta(row["folder"]), theta(theirs[key]["folder"]))


def test_a_sweep_killed_again_and_again_ends_with_the_same_table(tmp_path, whole):
    folder = tmp_path / "s"
    begun = start(*SWEEP, *LONG, f"hydra.sweep.dir={folder}")
    wait_for(lambda: (folder / "0" / ".hydra" / "config.yaml").exists(), begun)
    kill(begun)
    resumed = start(f"sweep.resume={folder}")
    wait_for(lambda: (folder / "0" / "checkpoints" / "last.ckpt").exists(), resumed)
    kill(resumed)
    code, out, err = finish(f"sweep.resume={folder}")
    assert code == 0, err
    assert "4 jobs: 4 finished" in out
    same(folder, whole)


def test_an_interrupted_sweep_says_how_to_go_on_and_does(tmp_path, whole):
    folder = tmp_path / "s"
    begun = start(*SWEEP, *LONG, f"hydra.sweep.dir={folder}")
    wait_for(lambda: (folder / "0" / "checkpoints" / "last.ckpt").exists(), begun)
    begun.send_signal(signal.SIGINT)
    out, err = begun.communicate(timeout=60)
    assert begun.returncode == 130
    assert f"sweep.resume={folder}" in out
    assert "Traceback" not in err
    code, _, err = finish(f"sweep.resume={folder}")
    assert code == 0, err
    same(folder, whole)


@pytest.fixture
def scratch():
    """Return a folder for temporary files whose name is short enough for Ray's sockets."""
    with tempfile.TemporaryDirectory(prefix="fit", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def test_a_stack_on_ray_whose_worker_is_killed_is_trained_again(tmp_path, scratch, whole):
    folder = tmp_path / "s"
    ray = ("hydra.launcher.engine=ray", "hydra.launcher.ray_cpus=2")
    process = start(*SWEEP, *LONG, *ray, f"hydra.sweep.dir={folder}", TMPDIR=str(scratch))
    wait_for(lambda: list(scratch.glob("*/*/checkpoints/last.ckpt")), process)
    workers = [int(path.name) for path in Path("/proc").glob("[0-9]*") if is_worker(path, scratch)]
    assert workers
    os.kill(workers[0], signal.SIGKILL)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert "4 jobs: 4 finished" in out
    same(folder, whole)


def is_worker(process, scratch):
    """Whether a process is a Ray worker that trains in `scratch` of this test."""
    try:
        name, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
    except OSError:
        return False
    return name.startswith(b"ray::train_remote_jobs") and str(scratch).encode() in environment
