"""Several members through the whole of Lightning: own data, own settings, own checkpoints."""

import pytest
import torch
from hydra import compose, initialize_config_dir

from fit.config.command import CONF
from fit.config.interruption import Interruption
from fit.data.datamodule import DataModule, build_dataset
from fit.errors import FitError
from fit.folder import RunFolder
from fit.model.start import build_stack
from fit.trainer import build_trainer, prepare
from fit.training.module import StackModule
from fit.training.recipe import build_recipe

MEMBERS = [
    ["seed=0", "optimizer.lr=1e-2"],
    ["seed=1", "optimizer.lr=3e-3", "data.noise=5"],
    ["seed=1", "optimizer.lr=1e-2", "data.scale_inputs=minmax", "regularization.l1=1e-3"],
    ["seed=2", "optimizer.lr=1e-2", "model.gain=1.5", "trainer.gradient_clip_val=0.1", "regularization.l2=1e-3"],
]
SHARED = ["data.points=50", "data.batch_size=16", "model.hidden=[7,5]", "model.dropout=0.1", "logger=none"]


def configure(overrides, epochs):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", [*SHARED, *overrides, f"trainer.max_epochs={epochs}", "scheduler=constant"])


def fit(members, folders, epochs):
    """Train members together and return the module."""
    cfgs = [configure(each, epochs) for each in members]
    for folder in folders:
        folder.path.mkdir(parents=True, exist_ok=True)
    data = DataModule([build_dataset(cfg.data) for cfg in cfgs], [cfg.seed for cfg in cfgs], prepare(cfgs[0]))
    stack = build_stack(cfgs, data.sizes, data.dtype)
    module = StackModule(stack, build_recipe(cfgs), data)
    rig = build_trainer(cfgs, folders, module, Interruption())
    rig.trainer.fit(module, datamodule=data)
    return module


def test_members_with_own_data_and_settings_are_bitwise_themselves_alone(tmp_path):
    together = fit(MEMBERS, [RunFolder(tmp_path / f"{index}") for index in range(4)], 20)
    for index, member in enumerate(MEMBERS):
        alone = fit([member], [RunFolder(tmp_path / f"alone_{index}")], 20)
        assert torch.equal(alone.stack.theta[0], together.stack.theta[index])
        ours, theirs = together.outcome(index, 0.0).numbers, alone.outcome(0, 0.0).numbers
        assert ours["val/rmse"] == pytest.approx(theirs["val/rmse"], rel=1e-12)
        assert ours["best/epoch"] == theirs["best/epoch"]
        lasts = [torch.load(tmp_path / name / "checkpoints" / "last.ckpt") for name in (f"{index}", f"alone_{index}")]
        assert torch.equal(lasts[0]["theta"], lasts[1]["theta"])
        assert torch.equal(lasts[0]["optimizer"]["exp_avg_sq"], lasts[1]["optimizer"]["exp_avg_sq"])
        assert torch.equal(lasts[0]["generators"]["dropout"], lasts[1]["generators"]["dropout"])


def test_a_stack_goes_on_from_its_members_checkpoints(tmp_path):
    whole = fit(MEMBERS, [RunFolder(tmp_path / f"whole_{index}") for index in range(4)], 40)
    folders = [RunFolder(tmp_path / f"part_{index}") for index in range(4)]
    fit(MEMBERS, folders, 20)
    assert torch.equal(fit(MEMBERS, folders, 40).stack.theta, whole.stack.theta)
    longer = fit(MEMBERS, [RunFolder(tmp_path / f"longer_{index}") for index in range(4)], 60)
    # and a member on its own, from the checkpoint that the stack wrote
    assert torch.equal(fit(MEMBERS[2:3], folders[2:3], 60).stack.theta[0], longer.stack.theta[2])


def test_checkpoints_of_different_epochs_do_not_make_a_stack(tmp_path):
    folders = [RunFolder(tmp_path / f"{index}") for index in range(2)]
    fit(MEMBERS[:1], folders[:1], 20)
    fit(MEMBERS[1:2], folders[1:], 30)
    with pytest.raises(FitError, match="of epoch 30, others are of 20"):
        fit(MEMBERS[:2], folders, 40)


def test_a_diverged_member_is_named_and_the_others_go_on(tmp_path):
    members = [["seed=0"], ["seed=0", "optimizer.lr=1e25"]]
    folders = [RunFolder(tmp_path / f"{index}") for index in range(2)]
    module = fit(members, folders, 20)
    alone = fit(members[:1], [RunFolder(tmp_path / "alone")], 20)
    assert module.diverged_epoch[0] is None
    assert module.diverged_epoch[1] == 1
    assert torch.equal(module.stack.theta[0], alone.stack.theta[0])
