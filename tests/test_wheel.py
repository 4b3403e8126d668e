"""The wheel: it holds the configurations, and runs without the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).parents[1]


def test_the_wheel_runs_in_an_empty_folder(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path / "dist"), str(CHECKOUT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    site, empty = tmp_path / "site", tmp_path / "empty"
    zipfile.ZipFile(wheel).extractall(site)
    empty.mkdir()
    assert sorted(
        path.relative_to(site / "fit" / "conf") for path in (site / "fit" / "conf").rglob("*.yaml")
    ) == sorted(path.relative_to(CHECKOUT / "conf") for path in (CHECKOUT / "conf").rglob("*.yaml"))
    script = "import fit; print(fit.__file__); from fit.train import command, main; command(main)"
    done = subprocess.run(
        [sys.executable, "-c", script, "data=xy_ring", "trainer.max_epochs=2"],
        cwd=empty,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert str(site) in done.stdout
    assert done.stderr == ""
    assert len(list(empty.glob("outputs/runs/xy_ring/mlp_gelu/*/metrics.json"))) == 1
