"""Hydra's own tests of launchers, run with ours: jobs of other applications run one after the other."""

import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.test_utils.launcher_common_tests import (
    BatchedSweeperTestSuite,
    IntegrationTestSuite,
    LauncherTestSuite,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # Hydra's tests are about what Hydra warns of, too


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
