"""The main job, as its user runs it."""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

QUICK = ("trainer.max_epochs=20", "logger=none")


def test_main_job_learns_and_leaves_a_whole_run_folder(fit):
    run = fit("model=mlp_gelu", "data=xy_square", "figures=true")
    metrics = run.metrics
    assert run.code == 0
    assert run.err == ""
    assert metrics["val/r2"] >= 0.9999
    assert run.value == metrics["val/loss"]
    assert metrics["val/nrmse"] == pytest.approx(math.sqrt(1 - metrics["val/r2"]))
    assert metrics["val/rmse"] == pytest.approx(math.sqrt(metrics["val/mse"]))
    assert metrics["targets"]["x²+y²"]["val/rmse"] == metrics["val/rmse"]
    assert (metrics["epochs"], metrics["steps"], metrics["parameters"]) == (200, 3200, 4481)
    assert metrics["seconds/total"] > metrics["seconds/fit"] > 0
    assert metrics["diverged"] is False
    # x² + y² is even, so the best affine function of a centred square is about its mean: variance 2·15⁴·4/45.
    assert metrics["baseline/mean_mse"] == pytest.approx(2 * 15**4 * 4 / 45, rel=0.1)
    assert metrics["baseline/affine_mse"] == pytest.approx(metrics["baseline/mean_mse"], rel=0.02)
    for name in ("metrics.json", "train.log", ".hydra/config.yaml", "checkpoints/last.ckpt", "checkpoints/best.ckpt"):
        assert (run.folder / name).stat().st_size > 0
    for name in ("fit.png", "loss.png"):
        assert (run.folder / "figures" / name).read_bytes().startswith(b"\x89PNG")
    assert [row["epoch"] for row in run.history] == list(range(0, 201, 10))
    assert run.history[-1]["val/loss"] == metrics["val/loss"]
    for words in (
        "x²+y²",
        "4481 parameters",
        "always the mean",
        "best affine function",
        "tensorboard --logdir outputs",
    ):
        assert words in run.out


def test_the_folder_to_watch_holds_the_run(fit):
    quick = ("trainer.max_epochs=1", "data.points=20", "model.hidden=[4]")
    assert "tensorboard --logdir out\n" in fit(*quick, "hydra.run.dir=out/x").out + "\n"
    assert "tensorboard --logdir .\n" in fit(*quick, "hydra.run.dir=y").out + "\n"


def test_what_is_about_to_be_trained_is_said_as_it_is_typed_and_counted(fit):
    out = fit("trainer.max_epochs=1", "data.points=20", "model.hidden=[4]", "scheduler=one_cycle", "logger=none").out
    assert "one_cycle schedule; loss mse; 1 epoch of 1 step\n" in out
    assert "y in [-10.42, 12.62], 1 (always 1) → " in out
    assert "(1 epoch, 1 step, " in out


def test_tensorboard_shows_curves_by_epoch(fit):
    run = fit("trainer.max_epochs=30", "figures=true")
    board = EventAccumulator(str(run.folder))
    board.Reload()
    scalars = {"loss/train", "loss/val", "rmse/val", "max_error/val", "r2/val", "lr", "grad_norm", "grad_norm/layer_1"}
    assert scalars <= set(board.Tags()["scalars"])
    assert sorted({event.step for event in board.Scalars("loss/val")}) == [0, 10, 20, 30]
    assert board.Scalars("rmse/val")[-1].value == pytest.approx(run.metrics["val/rmse"], rel=1e-6)
    assert "weights/layer_3" in board.Tags()["histograms"]
    assert board.Tags()["images"] == ["fit"]
    assert b"max_epochs: 30" in board.Tensors("config/text_summary")[0].tensor_proto.string_val[0]
    assert "_hparams_/session_start_info" in board.summary_metadata


def test_divergence_is_a_result(fit):
    run = fit("experiment=a3_exploding", "figures=true")
    assert run.code == 0
    assert run.value == math.inf
    assert (run.metrics["diverged"], run.metrics["diverged_epoch"], run.metrics["epochs"]) == (True, 11, 11)
    assert run.metrics["val/loss"] is None
    assert "epoch 11" in run.out
    assert (run.folder / "figures" / "fit.png").exists()
    assert run.checkpoint()["epoch"] == 11


@pytest.mark.parametrize("every", [3, 100])
def test_divergence_epoch_does_not_depend_on_when_one_looks(fit, every):
    run = fit("experiment=a3_exploding", f"trainer.check_val_every_n_epoch={every}", "logger=none")
    assert run.metrics["diverged_epoch"] == 11


def test_optimized_metric_is_what_main_returns(fit):
    run = fit("optimized_metric=val/r2", *QUICK)
    assert run.value == run.metrics["val/r2"] < 1


def test_two_runs_never_share_a_folder(fit):
    folders = {fit(*QUICK, "trainer.max_epochs=1").folder for _ in range(3)}
    assert len(folders) == 3
    assert fit(*QUICK, "hydra.run.dir=mine").code == 0
    again = fit(*QUICK, "hydra.run.dir=mine")
    assert again.code == 2
    assert "mine already holds a run" in again.err


def test_divergence_is_told_when_the_run_ends_early(fit):
    run = fit("experiment=a3_exploding", "early_stopping.patience=10", "logger=none")
    assert run.metrics["diverged"] is True


def test_a_broken_file_of_ones_own_is_named(fit, tmp_path):
    (tmp_path / "mine" / "optimizer").mkdir(parents=True)
    for content in (b"lr: [1", b"\xff\xfe\x00", b"lr: 1\nlr: 2\n"):
        (tmp_path / "mine" / "optimizer" / "broken.yaml").write_bytes(content)
        run = fit("--config-dir", "mine", "optimizer=broken")
        assert run.code == 2
        assert "Traceback" not in run.err
        assert run.err.count("\n") == 1


def test_early_stopping_counts_epochs(fit):
    run = fit("data=random_linear", "early_stopping.patience=30", "trainer.max_epochs=5000", "logger=none")
    best = min(run.history, key=lambda row: row["val/loss"])["epoch"]
    assert run.metrics["epochs"] == best + 30
    assert run.checkpoint("best")["epoch"] == run.metrics["best/epoch"] == best


def test_held_out_rows_are_neither_trained_on_nor_scaled_by(fit):
    run = fit("data=xy_ring", "data.val_fraction=0.25", *QUICK)
    assert "27 rows" in run.out
    assert "9 held-out rows" in run.out
    assert {"train/r2", "val/r2", "square/r2"} <= set(run.metrics)


def test_batch_size_above_the_rows_uses_all_of_them(fit):
    run = fit("data=xy_ring", "data.batch_size=100", *QUICK)
    assert run.metrics["steps"] == 20
    assert "data.batch_size=100 is more than that" in run.out


def test_own_config_dir_and_own_optimizer(fit, tmp_path):
    mine = tmp_path / "mine" / "optimizer"
    mine.mkdir(parents=True)
    (mine / "adamax.yaml").write_text("_target_: torch.optim.Adamax\nlr: 0.01\n")
    run = fit("--config-dir", "mine", "optimizer=adamax", "trainer.max_epochs=40", "logger=none")
    assert run.metrics["val/r2"] > 0.99


@pytest.mark.parametrize("name", ["torch.optim.LBFGS", "torch.optim.Rprop", "torch.optim.Muon", "torch.optim.Nope"])
def test_an_optimizer_that_cannot_step_members_apart_is_refused(fit, name):
    run = fit("optimizer=sgd", f"optimizer._target_={name}", *QUICK)
    assert run.code == 2
    assert name.rsplit(".", 1)[1] in run.err
    assert "Traceback" not in run.err
    assert not list(Path("outputs").glob("runs/*/*/*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["data=foo"], ["data=foo", "xy_square", "temperature"]),
        (["model=mlp_gelo"], ["model=mlp_gelo", "did you mean mlp_gelu"]),
        (["model.activation=gelo"], ["model.activation=gelo", "did you mean gelu"]),
        (["optimizer=adm"], ["optimizer=adm", "adam"]),
        (["optimizer.lrr=1"], ["optimizer.lrr", "did you mean optimizer.lr"]),
        (["modle=linear"], ["modle", "did you mean model"]),
        (["optimizer.lr=0"], ["optimizer.lr=0", "above 0"]),
        (["optimizer.lr=-1"], ["optimizer.lr=-1", "above 0"]),
        (["optimizer.lr=abc"], ["optimizer.lr=abc", "above 0"]),
        (["optimizer.lr=nan"], ["optimizer.lr=nan", "above 0"]),
        (["data.batch_size=0"], ["data.batch_size=0", "from 1 up to 2147483647, or null"]),
        (["trainer.max_epochs=0"], ["trainer.max_epochs=0", "from 1 up"]),
        (["data.val_fraction=1"], ["data.val_fraction=1", "below 1"]),
        (["data.val_fraction=-0.1"], ["data.val_fraction=-0.1", "from 0"]),
        (["data.val_fraction=0.9999"], ["data.val_fraction=0.9999", "fewer than 2 of 1024 rows"]),
        (["model.hidden=[0]"], ["model.hidden=[0]", "from 1 up"]),
        (["model.hidden=[64,-3]"], ["model.hidden=[64, -3]", "from 1 up"]),
        (["model.gain=0"], ["model.gain=0", "above 0"]),
        (["model.dropout=1"], ["model.dropout=1", "below 1"]),
        (["model.init=foo"], ["model.init=foo", "xavier_normal"]),
        (["loss=foo"], ["loss=foo", "huber"]),
        (["trainer.accelerator=mps"], ["trainer.accelerator=mps", "not available on this machine"]),
        (["trainer.precision=16-mixed"], ["trainer.precision=16-mixed", "64-true"]),
        (["data.low=20"], ["data.low=20", "data.high=15"]),
        (["hydra.run.dir=/dev/null/run"], ["hydra.run.dir=/dev/null/run", "cannot be written"]),
        (["resume=nowhere"], ["resume=nowhere", "not a run folder"]),
        (["optimizer.lr=[1"], ["optimizer.lr=[1", "cannot be read"]),
        (["--config-dir", "nowhere"], ["nowhere", "not found"]),
        (["~optimizer.lr"], ["optimizer.lr is missing"]),
        (["~scheduler"], ["scheduler is missing"]),
        (["data=null"], ["data=null is not allowed", "give one of arrays"]),
        (["model=[1]"], ["model=[1] is not allowed", "give one of custom, linear"]),
        (["-m", "optimizer=[1],adam"], ["optimizer=[1],adam is not allowed", "give one of adadelta"]),
        (["data={a:1}"], ["data has no such settings: give one of arrays"]),
        (["data=[nope]"], ["data=nope does not exist: give one of arrays"]),
        (["seed=0,1"], ["seed=0,1 is several values: add -m"]),
        (["optimizer.lr=${nope}"], ["optimizer.lr cannot be read", "nope"]),
        (["optimizer.lr=1" + 400 * "0"], ["optimizer.lr=1", "up to 1e+30"]),
        (["seed=99999999999999999999999"], ["seed=99999999999999999999999", "from 0 up to 2147483647"]),
        (["optimizer.betas=[0.9]"], ["optimizer.betas=[0.9] is not possible with Adam", "default is (0.9, 0.999)"]),
        (["optimizer.betas=3"], ["optimizer.betas=3 is not possible with Adam: its default is (0.9, 0.999)"]),
        (["optimizer.betas=[2,3]"], ["optimizer.betas=[2, 3] is not possible with Adam (Invalid beta"]),
        (["+optimizer.foo=1"], ["optimizer.foo=1 is not allowed: Adam has lr, betas"]),
        (["cv=5000"], ["cv=5000 is not allowed: there are 1024 rows"]),
        (["ensemble=2", "data=multi_function", "data.high=800"], ["not finite"]),
        (["+scheduler.foo=1"], ["foo", "scheduler"]),
        (["+data.foo=1"], ["foo", "data"]),
        (["scheduler._target_=torch.optim.Adam"], ["scheduler._target_=torch.optim.Adam", "Schedule"]),
        (["data._target_=nope.X"], ["data._target_=nope.X", "DataSet"]),
        (["logger.tensorboard._target_=nope.X"], ["logger.tensorboard._target_=nope.X", "Logger"]),
        (["logger.tensorboard=null"], ["logger.tensorboard", "Logger"]),
        (["optimized_metric=square/r2"], ["optimized_metric=square/r2", "train, val"]),
        (["optimized_metric=val/luck"], ["optimized_metric=val/luck", "r2"]),
        (["model.hidden=[100000000,100000]"], ["model.hidden", "GiB"]),
        (["trainer.num_threads=100000"], ["trainer.num_threads=100000", "processors"]),
        (["data=multi_function", "data.high=800"], ["not finite"]),
        (["resume=1"], ["resume=1", "not a run folder"]),
        (["-m", "resume=nowhere"], ["resume", "without -m"]),
    ],
)
def test_bad_settings_end_in_one_sentence_and_leave_nothing(fit, arguments, words):
    run = fit(*arguments)
    assert run.code == 2
    assert all(word in run.err for word in words), run.err
    assert run.err.count("\n") == 1
    assert run.out == ""
    assert not any(path.is_file() for path in Path().rglob("*"))


@pytest.mark.parametrize(
    "arguments", [["--help"], ["optimizer.lr=0"], ["model=foo"], ["modle=foo"], ["resume=nowhere"]]
)
def test_nothing_heavy_is_imported_to_help_or_refuse(arguments, tmp_path):
    script = (
        "import sys, atexit; sys.argv = ['train'] + sys.argv[1:]\n"
        "from fit.train import main, command\n"
        "atexit.register(lambda: print('heavy:', {'torch', 'lightning', 'matplotlib', 'numpy'} & set(sys.modules)))\n"
        "command(main)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert "heavy: set()" in done.stdout
    assert "Traceback" not in done.stderr


def test_sweep_runs_every_combination(fit):
    fit("-m", "optimizer.lr=1e-3,1e-2", "seed=0,1", "trainer.max_epochs=2", "logger=none")
    assert len(list(Path("outputs/sweeps").glob("*/*/metrics.json"))) == 4
