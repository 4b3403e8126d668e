"""Interrupted, killed, resumed: the same weights as if nothing had happened."""

import re
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
    "trainer.max_epochs=100",
    "trainer.check_val_every_n_epoch=7",
    "logger=none",
)


def start(*arguments):
    return subprocess.Popen([sys.executable, "-m", "fit.train", *arguments], stdout=subprocess.PIPE, text=True)


def wait_for(path, seconds=60):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.002)


def same(first, second):
    return torch.equal(first["theta"], second["theta"]) and all(
        torch.equal(first["optimizer"][key], second["optimizer"][key]) for key in first["optimizer"]
    )


@pytest.mark.slow
def test_killed_and_resumed_is_bitwise_the_run_never_killed(fit):
    whole = fit(*SETTINGS, "hydra.run.dir=whole")
    process = start(*SETTINGS, "hydra.run.dir=killed")
    wait_for(Path("killed/checkpoints/last.ckpt"))
    process.kill()
    process.communicate()
    assert not Path("killed/metrics.json").exists()
    resumed = fit("resume=killed")
    assert resumed.code == 0
    assert re.search(r"^resumed +after epoch \d+ of 100, from killed/checkpoints/last.ckpt$", resumed.out, re.MULTILINE)
    assert "resumed" not in whole.out
    assert same(whole.checkpoint(), resumed.checkpoint())
    assert resumed.history_text == whole.history_text
    assert resumed.metrics["val/loss"] == whole.metrics["val/loss"]


def test_killed_before_the_first_checkpoint_starts_again(fit):
    whole = fit(*SETTINGS, "hydra.run.dir=whole", "trainer.max_epochs=20")
    run = fit(*SETTINGS, "hydra.run.dir=lost", "trainer.max_epochs=20")
    for path in (run.folder / "checkpoints").iterdir():
        path.unlink()
    resumed = fit("resume=lost")
    assert "resumed    from the start" in resumed.out
    assert same(whole.checkpoint(), resumed.checkpoint())
    assert resumed.history_text == whole.history_text


@pytest.mark.slow
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
        "data=xy_ring": "data._target_=fit.data.datasets.xy_ring.XYRing does not fit done",
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


def test_a_diverged_run_killed_before_its_summary_is_summed_up(fit):
    run = fit("experiment=a3_exploding", "hydra.run.dir=burst", "logger=none")
    (run.folder / "metrics.json").unlink()
    again = fit("resume=burst", "trainer.max_epochs=1000")
    assert again.code == 0
    assert again.metrics["diverged_epoch"] == 11
    assert again.history_text == run.history_text


def test_a_finished_run_is_summed_up_again_with_the_same_numbers(fit):
    run = fit(*SETTINGS, "trainer.max_epochs=20", "hydra.run.dir=done")
    before, history = run.metrics, run.history_text
    again = fit("resume=done")
    timed = {"seconds/fit", "seconds/total"}
    assert {key: value for key, value in again.metrics.items() if key not in timed} == {
        key: value for key, value in before.items() if key not in timed
    }
    assert again.metrics["seconds/total"] > again.metrics["seconds/fit"] > run.checkpoint()["seconds"]
    assert again.history_text == history
    fewer = fit("resume=done", "trainer.max_epochs=5")
    assert fewer.code == 2
    assert "trainer.max_epochs=5 is not allowed" in fewer.err


def test_a_refused_start_spares_what_lay_in_the_folder(fit):
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("years of work")
    for arguments in (["optimizer.eps=-1"], ["data.val_fraction=0.9999"], ["optimizer._target_=torch.optim.LBFGS"]):
        assert fit("hydra.run.dir=mine", *arguments, "logger=none").code == 2
        assert [path.name for path in Path("mine").iterdir()] == ["thesis.txt"]
    assert fit("hydra.run.dir=.", "optimizer.eps=-1", "logger=none").code == 2
    assert Path("mine/thesis.txt").read_text() == "years of work"


def test_a_refused_resume_changes_nothing(fit):
    run = fit(*SETTINGS, "trainer.max_epochs=2", "hydra.run.dir=done")
    for path in (run.folder / "checkpoints", run.folder / "history.csv"):
        path.rename(path.with_name(f"old_{path.name}"))
    config = run.folder / ".hydra" / "config.yaml"
    config.write_text(config.read_text().replace("betas", "bets"))
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file() and path.name != "train.log"}
    assert fit("resume=done").code == 2
    after = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file() and path.name != "train.log"}
    assert after == before


def test_a_configuration_from_somebody_else_runs_nothing(fit):
    run = fit(*SETTINGS, "trainer.max_epochs=2", "hydra.run.dir=theirs")
    config = run.folder / ".hydra" / "config.yaml"
    stored = config.read_text()
    (run.folder / "checkpoints" / "last.ckpt").rename("good.ckpt")  # which would tell that the settings are others
    for harmless in ("fit.data.datasets.xy_square.XYSquare", "fit.training.schedules.Cosine", "torch.optim.NAdam"):
        evil = "{_target_: pathlib.Path.write_text, _args_: [{_target_: pathlib.Path, _args_: [PWNED]}, x]}"
        config.write_text(stored.replace(harmless, f"builtins.print\n  more: {evil}"))
        refused = fit("resume=theirs")
        assert refused.code == 2
        assert "._target_=builtins.print: type" in refused.err
        assert not Path("PWNED").exists()


def test_a_checkpoint_from_somebody_else_runs_nothing(fit):
    class Evil:
        def __reduce__(self):
            return (Path.write_text, (Path("PWNED"), "x"))

    run = fit(*SETTINGS, "trainer.max_epochs=2", "hydra.run.dir=theirs")
    torch.save({"format": 1, "theta": Evil()}, run.folder / "checkpoints" / "last.ckpt")
    refused = fit("resume=theirs")
    assert refused.code == 2
    assert "is not a checkpoint of fit" in refused.err
    assert not Path("PWNED").exists()


@pytest.mark.slow
def test_two_processes_do_not_train_in_one_folder(fit):
    process = start(*SETTINGS, "trainer.max_epochs=100000", "hydra.run.dir=busy")
    wait_for(Path("busy/checkpoints/last.ckpt"))
    refused = fit("resume=busy")
    process.kill()
    process.communicate()
    assert refused.code == 2
    assert "busy is in use" in refused.err


def test_what_may_change_does(fit):
    fit(*SETTINGS, "trainer.max_epochs=2", "hydra.run.dir=done")
    changed = fit("resume=done", "logger=tensorboard", "early_stopping.patience=null", "trainer.max_epochs=4")
    assert changed.code == 0
    assert list(changed.folder.glob("events.*"))
    assert "TensorBoardLogger" in (changed.folder / ".hydra" / "config.yaml").read_text()


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
