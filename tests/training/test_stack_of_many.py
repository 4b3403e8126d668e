"""Several members through the whole of Lightning: own data, own settings, own checkpoints."""

import pytest
import torch
from hydra import compose, initialize_config_dir

from fit.execute import train
from fit.folder import RunFolder
from fit.hydra_adapter.command import CONF
from fit.interruption import Interruption
from fit.job import Job
from fit.training.callbacks.progress import Bar
from fit.training.module import StackModule
from fit.training.run import assign_members, build_runs

MEMBERS = [
    ["seed=0", "optimizer.lr=1e-2"],
    ["seed=1", "optimizer.lr=3e-3", "data.noise=5"],
    ["seed=1", "optimizer.lr=1e-2", "data.scale_inputs=minmax", "regularization.l1=1e-3"],
    ["seed=2", "optimizer.lr=1e-2", "model.gain=1.5", "trainer.gradient_clip_val=0.1", "regularization.l2=1e-3"],
]
SHARED = ["data.points=50", "data.batch_size=16", "model.hidden=[7,5]", "model.dropout=0.1", "logger=none"]


def configure(overrides, epochs):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [*SHARED, f"trainer.max_epochs={epochs}", "scheduler=constant", *overrides])


def fit(members, folders, epochs):
    """Train members together and return their jobs."""
    for folder in folders:
        folder.path.mkdir(parents=True, exist_ok=True)
    jobs = [Job(configure(each, epochs), folder, folder.log) for each, folder in zip(members, folders, strict=True)]
    train(jobs, Interruption(), Bar(len(jobs), 0), [])
    return jobs


def make(tmp_path, name, count):
    return [RunFolder(tmp_path / f"{name}_{index}") for index in range(count)]


def last(folder):
    return torch.load(folder.last, weights_only=True)


def test_runs_of_one_network_share_a_member_and_of_several_lengths_only_where_the_schedule_lets_them(tmp_path):
    lengths = ["trainer.max_epochs=3"], ["trainer.max_epochs=7"], ["trainer.max_epochs=7"]
    for scheduler, members in (("constant", [0, 0, 0]), ("one_cycle", [0, 1, 1])):
        jobs = [
            Job(configure([f"scheduler={scheduler}", *length], 5), folder, folder.log)
            for length, folder in zip(lengths, make(tmp_path, scheduler, 3), strict=True)
        ]
        runs = list(build_runs(jobs))
        longest = assign_members(runs)
        assert [run.member for run in runs] == members
        assert {run.max_epochs for run in longest if run.member == members[1]} == {7}


def test_members_with_own_data_and_settings_are_bitwise_themselves_alone(tmp_path):
    company = make(tmp_path, "company", len(MEMBERS))
    together = fit(MEMBERS, company, 20)
    for index, member in enumerate(MEMBERS):
        [folder] = make(tmp_path, f"alone_{index}", 1)
        [alone] = fit([member], [folder], 20)
        assert alone.metrics["val/rmse"] == pytest.approx(together[index].metrics["val/rmse"], rel=1e-6)
        assert alone.metrics["best/epoch"] == together[index].metrics["best/epoch"]
        ours, theirs = last(company[index]), last(folder)
        assert torch.equal(ours["theta"], theirs["theta"])
        assert torch.equal(ours["optimizer"]["exp_avg_sq"], theirs["optimizer"]["exp_avg_sq"])
        assert torch.equal(ours["generators"]["dropout"], theirs["generators"]["dropout"])
        assert [list(row) for row in company[index].read_history()] == [list(row) for row in folder.read_history()]


@pytest.mark.parametrize(
    ("optimizer", "scheduler"), [("adamw", "one_cycle"), ("adam", "constant"), ("sgd", "one_cycle")]
)
def test_members_of_different_length_and_decay_are_bitwise_themselves_alone(tmp_path, optimizer, scheduler):
    common = [f"optimizer={optimizer}", "optimizer.lr=1e-2", f"scheduler={scheduler}"]
    members = [
        [*common, f"trainer.max_epochs={epochs}", f"optimizer.weight_decay={decay}", f"seed={seed}"]
        for epochs, decay, seed in [(5, 0.0, 0), (20, 0.1, 0), (13, 0.1, 1), (20, 0.0, 0)]
    ]
    company = make(tmp_path, "company", len(members))
    jobs = fit(members, company, 1)
    assert [job.metrics["epochs"] for job in jobs] == [5, 20, 13, 20]
    for index, member in enumerate(members):
        [folder] = make(tmp_path, f"alone_{index}", 1)
        fit([member], [folder], 1)
        assert torch.equal(last(company[index])["theta"], last(folder)["theta"])
        assert [row["epoch"] for row in company[index].read_history()] == [
            row["epoch"] for row in folder.read_history()
        ]


def test_weight_decay_is_that_of_torch(tmp_path):
    weights = {}
    for decay in ("0.0", "0.1"):
        [folder] = make(tmp_path, decay, 1)
        fit([["optimizer=adamw", "optimizer.lr=1e-2", f"optimizer.weight_decay={decay}"]], [folder], 20)
        weights[decay] = last(folder)["theta"].norm()
    # 20 epochs of 4 steps, each of which takes a thousandth of the weights away
    assert weights["0.1"] < 0.97 * weights["0.0"]


def test_runs_of_one_network_and_different_length_share_a_member(tmp_path, monkeypatch):
    sizes = []

    def count(stack, *rest):
        sizes.append(stack.members)
        return StackModule(stack, *rest)

    monkeypatch.setattr("fit.trainer.StackModule", count)
    members = [[f"trainer.max_epochs={epochs}"] for epochs in (10, 20, 15, 20)]
    folders = make(tmp_path, "shared", 4)
    jobs = fit(members, folders, 1)
    assert sizes == [1]
    assert [job.metrics["epochs"] for job in jobs] == [10, 20, 15, 20]
    assert torch.equal(last(folders[1])["theta"], last(folders[3])["theta"])
    [alone] = make(tmp_path, "alone", 1)
    fit(members[2:3], [alone], 1)
    assert torch.equal(last(folders[2])["theta"], last(alone)["theta"])


def test_a_stack_goes_on_from_its_members_checkpoints(tmp_path):
    whole, folders, longer = (make(tmp_path, name, 4) for name in ("whole", "part", "longer"))
    fit(MEMBERS, whole, 40)
    fit(MEMBERS, folders, 20)
    fit(MEMBERS, folders, 40)
    for ours, theirs in zip(folders, whole, strict=True):
        assert torch.equal(last(ours)["theta"], last(theirs)["theta"])
        assert [row["epoch"] for row in ours.read_history()] == [0, 10, 20, 30, 40]
    fit(MEMBERS, longer, 60)
    # and a member on its own, from the checkpoint that the stack wrote
    fit(MEMBERS[2:3], folders[2:3], 60)
    assert torch.equal(last(folders[2])["theta"], last(longer[2])["theta"])


def test_a_diverged_member_is_named_and_the_others_go_on(tmp_path):
    members = [["seed=0"], ["seed=0", "optimizer.lr=1e25"]]
    company = make(tmp_path, "company", 2)
    jobs = fit(members, company, 20)
    [alone] = make(tmp_path, "alone", 1)
    fit(members[:1], [alone], 20)
    assert jobs[0].metrics["diverged_epoch"] is None
    assert jobs[1].metrics["diverged_epoch"] == 1
    assert jobs[1].metrics["epochs"] == 1
    assert jobs[1].value == float("inf")
    assert torch.equal(last(company[0])["theta"], last(alone)["theta"])


def test_a_member_that_stops_early_does_so_alone(tmp_path):
    members = [["optimizer.lr=1e-2"], ["optimizer.lr=1e-12"]]
    jobs = fit(
        [[*each, "early_stopping.patience=20", "data.val_fraction=0.5"] for each in members], make(tmp_path, "c", 2), 60
    )
    assert jobs[1].metrics["epochs"] < 60
    assert jobs[0].metrics["epochs"] > jobs[1].metrics["epochs"]


def test_a_folder_that_cannot_be_written_ends_its_own_run_alone(tmp_path):
    folders = make(tmp_path, "full", 3)
    (folders[1].path / "checkpoints").parent.mkdir(parents=True)
    (folders[1].path / "checkpoints").write_text("in the way")
    jobs = fit(MEMBERS[:3], folders, 20)
    assert "checkpoints" in str(jobs[1].error)
    assert [job.error is None for job in jobs] == [True, False, True]
    assert [bool(job.metrics) for job in jobs] == [True, False, True]
