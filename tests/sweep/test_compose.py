"""The quick loader composes what Hydra composes."""

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.utils import setup_globals
from hydra.errors import ConfigCompositionException, HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf

from fit.hydra_adapter.command import CONF
from fit.hydra_adapter.loader import QuickLoader

JOBS = [
    [],
    ["seed=1"],
    ["optimizer.lr=1e-3", "seed=2"],
    ["optimizer.lr=1e-2", "seed=2"],
    ["model=mlp_tanh", "data=xy_ring", "optimizer.lr=1e-2"],
    ["model=mlp_tanh", "data=xy_ring", "data.batch_size=null", "model.hidden=[3,4]"],
    ["data={points:7,noise:1}"],
    ["experiment=a1_cured", "trainer.max_epochs=7"],
    ["experiment=a3_exploding"],
    ["+extra.deep=1", "seed=3"],
    ["+extra.deep=2", "seed=3"],
    ["++optimizer.lr=5", "+optimizer.more={a:1}"],
    ["~early_stopping"],
    ["~data.noise"],
    ["logger=none"],
    ["~logger"],
    ["data.points=${trainer.max_epochs}", "trainer.max_epochs=50"],
    ["data.noise=${optimizer.lr}", "optimizer.lr=0.5"],
    ["optimizer.lr=${oc.env:HOME}"],
    ["model.init={weight:1,bias:0}"],
    ["hydra.verbose=true", "hydra.job.name=other"],
    ["hydra.job.env_copy=[HOME]"],
    ["hydra.job.config.override_dirname.exclude_keys=[seed]", "seed=1", "optimizer.lr=1"],
    ["hydra.sweep.subdir=a_${hydra.job.override_dirname}", "seed=4"],
    ["hydra/launcher=basic", "seed=1"],
    ["seed=1", "seed=2"],
    ["data.scale_inputs='min max'"],
]
MASTERS = [[], ["seed=1,2", "hydra.sweep.dir=x", "data=xy_ring", "hydra.sweeper.max_batch_size=3"]]


@pytest.fixture(scope="module")
def loader():
    """Hydra's loader, at a standing clock: two configurations composed in different seconds are otherwise not equal."""
    setup_globals()
    OmegaConf.register_new_resolver("now", lambda pattern: "then", replace=True)
    yield ConfigLoaderImpl(create_config_search_path(str(CONF)))
    setup_globals()  # puts the clock back


def master(loader, overrides):
    return loader.load_configuration("train", overrides, RunMode.MULTIRUN)


@pytest.mark.parametrize("typed", MASTERS, ids=str)
def test_every_job_is_composed_as_by_hydra(loader, typed):
    config = master(loader, typed)
    quick = QuickLoader(loader)
    jobs = JOBS[::3] if typed else JOBS
    for job in [*jobs, *jobs[::9]]:  # composed anew, and from memory
        ours, theirs = quick.load_sweep_config(config, job), loader.load_sweep_config(config, job)
        assert OmegaConf.to_yaml(ours) == OmegaConf.to_yaml(theirs), job
        assert ours == theirs
        for node in ("hydra", "hydra.job", "hydra.sweep", "data", "optimizer"):
            mine, other = OmegaConf.select(ours, node), OmegaConf.select(theirs, node)
            assert OmegaConf.get_type(mine) == OmegaConf.get_type(other)
            assert OmegaConf.is_struct(mine) == OmegaConf.is_struct(other)
            assert OmegaConf.is_readonly(mine) == OmegaConf.is_readonly(other)


@pytest.mark.parametrize(
    "job",
    [["nope=1"], ["optimizer.nope=1"], ["model=nope"], ["+seed=1"], ["~nope"], ["trainer.max_epochs.x=1"]],
    ids=str,
)
def test_what_hydra_refuses_is_refused(loader, job):
    config, quick = master(loader, []), QuickLoader(loader)
    with pytest.raises(HydraException) as theirs:
        loader.load_sweep_config(config, job)
    with pytest.raises(HydraException) as ours:
        quick.load_sweep_config(config, job)
    assert str(ours.value) == str(theirs.value)
    with pytest.raises(HydraException) as found:
        quick.validate(config, [["seed=1"], job])
    assert str(found.value) == str(theirs.value)


def test_jobs_that_add_the_same_setting_are_valid(loader):
    quick = QuickLoader(loader)
    quick.validate(master(loader, []), [["+extra=1"], ["+extra=2"], ["~data.noise"], ["~data.noise", "seed=1"]])
    with pytest.raises(ConfigCompositionException):
        quick.validate(master(loader, []), [["+extra=1"], ["extra=2"]])


def test_what_one_job_changes_is_its_own(loader):
    config, quick = master(loader, []), QuickLoader(loader)
    first = quick.load_sweep_config(config, ["seed=1"])
    OmegaConf.set_struct(first, False)
    first.data.points = 5
    assert quick.load_sweep_config(config, ["seed=1"]).data.points == 1024
