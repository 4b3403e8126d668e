"""Time sweeps against plain Lightning with Hydra's basic launcher, and against Hydra's own cost."""

import argparse
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")  # as the command does, before the first product

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.utils import run_job, setup_globals
from hydra.types import HydraContext, RunMode

from fit.hydra_adapter.command import CONF
from fit.hydra_adapter.job_context import JobContext
from fit.hydra_adapter.loader import QuickLoader
from speed import FOLDER, PYTHON, interleave, whole_process

PEERS = Path(__file__).parent / "peers"


def rates(count: int) -> str:
    """Write learning rates from 1e-4 to 1e-2 as a sweep."""
    return ",".join(f"{1e-4 * 100 ** (index / max(count - 1, 1)):.4g}" for index in range(count))


def ours(lrs: int, seeds: int, *more: str) -> tuple[str, ...]:
    """Return the command of our sweep over article A1's cured settings."""
    folder = FOLDER / f"sweep_{time.time_ns()}"
    swept = (f"optimizer.lr={rates(lrs)}", f"seed=range(0,{seeds})")
    return (PYTHON, "-m", "fit.train", "-m", "experiment=a1_cured", *swept, f"hydra.sweep.dir={folder}", *more)


def peer(lrs: int, seeds: int) -> tuple[str, ...]:
    """Return the command of the same sweep in plain Lightning, job after job."""
    folder = FOLDER / f"peer_{time.time_ns()}"
    swept = (f"lr={rates(lrs)}", f"seed=range(0,{seeds})")
    return (PYTHON, str(PEERS / "lightning_sweep.py"), "-m", *swept, f"hydra.sweep.dir={folder}")


def bench_command(full: bool) -> None:
    """Compare 100 jobs, from command to table."""
    few, more = (2, 2), (2, 5)
    timed = interleave(3, ours=lambda: whole_process(*ours(20, 5))())
    if full:
        timed |= interleave(1, peer=lambda: whole_process(*peer(20, 5))())
        how = "measured"
    else:
        timed |= interleave(1, few=lambda: whole_process(*peer(*few))(), more=lambda: whole_process(*peer(*more))())
        job = (timed["more"] - timed["few"]) / (more[0] * more[1] - few[0] * few[1])
        timed["peer"] = timed["more"] + job * (100 - more[0] * more[1])
        how = f"from 4 and 10 jobs, {job:.2f} s each; --full runs all 100"
    print(f"100 jobs of A1: ours {timed['ours']:.2f} s, plain Lightning {timed['peer']:.0f} s ({how}):", end=" ")
    print(f"{timed['peer'] / timed['ours']:.0f} times as fast (asked: 50)")


def bench_hydra(jobs: int = 100) -> None:
    """Compare what Hydra does around each job: validate, compose, make folder and files."""
    setup_globals()
    loader = ConfigLoaderImpl(create_config_search_path(str(CONF)))
    config = loader.load_configuration(
        "train", ["experiment=a1_cured", f"hydra.sweep.dir={FOLDER}/hydra_{time.time_ns()}"], RunMode.MULTIRUN
    )
    batch = [["experiment=a1_cured", f"seed={seed}", "optimizer.lr=1e-3"] for seed in range(jobs)]
    context = HydraContext(config_loader=loader, callbacks=_Silent())

    def quick() -> float:
        began = time.perf_counter()
        quick = QuickLoader(loader)
        quick.validate(config, batch)
        job_context = JobContext(context, lambda cfg: None)
        for number, job in enumerate(batch):
            cfg = quick.load_sweep_config(config, job)
            job_context.open(cfg, Path(config.hydra.sweep.dir) / f"{time.time_ns()}_{number}")
        return (time.perf_counter() - began) / jobs

    def hydras() -> float:
        began = time.perf_counter()
        for number, job in enumerate(batch[:10]):
            loader.load_sweep_config(config, job)
            cfg = loader.load_sweep_config(config, job)
            cfg.hydra.job.num, cfg.hydra.job.id = number, str(number)
            run_job(
                hydra_context=context,
                task_function=lambda cfg: 0.0,
                config=cfg,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
        return (time.perf_counter() - began) / 10

    timed = interleave(3, ours=quick, hydra=hydras)
    print(f"Hydra's cost per job: ours {1e3 * timed['ours']:.1f} ms (asked: 40), Hydra's {1e3 * timed['hydra']:.0f} ms")


class _Silent:
    """Callbacks that nobody listens to."""

    def __getattr__(self, name: str) -> object:
        return lambda **kwargs: None


def bench_growth() -> None:
    """Compare 1,000 members with 100, and measure the memory of the whole command."""
    seconds = {}
    for lrs in (20, 200):
        began = time.perf_counter()
        subprocess.run(ours(lrs, 5, "sweep.figures=none"), capture_output=True)
        seconds[lrs] = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"1,000 jobs: {seconds[200]:.1f} s, {seconds[200] / seconds[20]:.1f} times 100 jobs (asked: 10);", end=" ")
    print(f"peak memory {peak:.2f} GiB (asked: 1.5 GB)")


def main() -> None:
    """Print every figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="run all 100 jobs of the peer (7 minutes)")
    parser.add_argument("--only", choices=["command", "hydra", "growth"])
    asked = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    benches = {
        "growth": bench_growth,  # first, while no other child has a say in the peak of memory
        "hydra": bench_hydra,
        "command": lambda: bench_command(asked.full),
    }
    for name, bench in benches.items():
        if asked.only in (None, name):
            bench()
    shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    main()
