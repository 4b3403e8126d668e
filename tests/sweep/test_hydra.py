"""Hydra's own tests of launchers, run with ours: jobs of other applications run one after the other."""

import pytest
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.plugins.launcher import Launcher
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)
from hydra.version import VersionBase

pytestmark = pytest.mark.filterwarnings("ignore")  # Hydra's tests are about what Hydra warns of, too


@pytest.fixture(autouse=True)
def _as_hydra_begins(monkeypatch):
    """Hydra's tests expect the behaviour of no version_base, whatever ran in this process before."""
    monkeypatch.setitem(Singleton._instances, VersionBase, object.__new__(VersionBase))
    VersionBase.instance().__init__()


def test_the_launcher_is_found():
    assert "StackedLauncher" in [each.__name__ for each in Plugins.instance().discover(Launcher)]


@pytest.mark.parametrize(("launcher_name", "overrides"), [("stacked", [])])
class TestLauncher(LauncherTestSuite):
    """The jobs of a sweep."""


@pytest.mark.parametrize(
    ("launcher_name", "overrides"), [("stacked", ["hydra/sweeper=basic", "hydra.sweeper.max_batch_size=2"])]
)
class TestBatchedSweeper(BatchedSweeperTestSuite):
    """The jobs of a sweep, two at a time."""


@pytest.mark.parametrize(("task_launcher_cfg", "extra_flags"), [({}, ["-m", "hydra/launcher=stacked"])])
class TestIntegration(IntegrationTestSuite):
    """Whole applications."""
