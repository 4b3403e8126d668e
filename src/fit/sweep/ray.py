"""Training stacks as tasks of a Ray cluster; the driver writes the results into their folders."""

import logging
import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf

from fit.errors import FitError, as_sentence, missing_extra
from fit.execute import locked_with_bar, run_jobs
from fit.folder import RunFolder, write_atomically
from fit.interruption import Interruption
from fit.job import Job

# How often a task is restarted if its worker died.
RETRIES = 3
POLL_SECONDS = 0.5
CONNECT_SECONDS = 5.0


class RemoteJob(NamedTuple):
    """A job on its way to a worker, or back: files by their path in the run folder."""

    config: str
    folder: str
    files: dict[str, bytes]
    metrics: dict[str, object]
    error: str


def train_on_ray(
    stacks: Sequence[Sequence[Job]],
    settings: Mapping[str, object],
    swept: Sequence[str],
    interruption: Interruption,
) -> None:
    """Train each stack as a task and write its results; raise FitError if there is no cluster."""
    ray = connect(settings)
    try:
        with locked_with_bar([job for stack in stacks for job in stack]) as bar:
            task = ray.remote(num_cpus=1, max_retries=RETRIES)(train_remote_jobs)
            ready = [unlocked for stack in stacks if (unlocked := [job for job in stack if job.error is None])]
            tasks = {
                task.remote([pack(job) for job in stack], dict(stack[0].environment), list(swept)): stack
                for stack in ready
            }
            waiting = list(tasks)
            failed_fast = False
            while waiting and not interruption() and not failed_fast:
                done, waiting = ray.wait(waiting, timeout=POLL_SECONDS)
                for each in done:
                    receive(ray, each, tasks[each])
                    for job in tasks[each]:
                        bar.advance(job.networks * job.cfg.trainer.max_epochs)
                        bar.end(0)
                    failed = any(job.error is not None for job in tasks[each])
                    failed_fast = failed_fast or (failed and settings["fail_fast"] is True)
                bar.show(f"{bar.ended}/{bar.runs} jobs finished, {len(waiting)} stacks in training")
            for each in waiting:
                ray.cancel(each, force=True)
    finally:
        ray.shutdown()


def check_address(address: str) -> None:
    """Raise FitError if nothing listens at `HOST:PORT`; Ray itself would retry for long, and log it."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise FitError(f"hydra.launcher.ray_address={address} is not allowed: give HOST:PORT, or null.")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise FitError(f"hydra.launcher.ray_address={address} cannot be reached: {error}.") from None


def connect(settings: Mapping[str, object]) -> Any:  # noqa: ANN401 -- the module of an extra
    """Connect to the cluster at `ray_address`, or start one on this machine; return the `ray` module."""
    # Before the import: no usage statistics are sent, and no port is opened for a dashboard.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray = import_module("ray")
    except ImportError as error:
        raise missing_extra("hydra.launcher.engine=ray", "ray", error) from None
    address, cpus = settings["ray_address"], settings["ray_cpus"]
    own = {"num_cpus": cpus, "include_dashboard": False} if address is None else {}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, ValueError, RuntimeError, TimeoutError, OSError) as error:
        first = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        what = (
            "Ray cannot be started here" if address is None else f"hydra.launcher.ray_address={address} cannot be used"
        )
        raise FitError(f"{what}: {first}.") from None
    return ray


def pack(job: Job) -> RemoteJob:
    """Pack a job with the files from which it resumes."""
    folder = job.folder.path
    return RemoteJob(OmegaConf.to_yaml(job.cfg), str(folder.absolute()), read_files(folder), {}, "")


def receive(ray: Any, task: object, stack: Sequence[Job]) -> None:  # noqa: ANN401
    """Write the results of a task; an error of the task is that of each of its jobs."""
    try:
        remotes: list[RemoteJob] = ray.get(task)
    except ray.exceptions.RayError as error:
        for job in stack:
            job.error = FitError(f"Its Ray task failed: {' '.join(str(error).split())[:300]}.")
        return
    for job, remote in zip(stack, remotes, strict=True):
        try:
            for name, content in remote.files.items():
                write_atomically(job.folder.path / name, content)
            job.metrics = remote.metrics
            job.error = FitError(remote.error) if remote.error else None
        except (FitError, OSError) as error:
            job.error = error


class WithoutSignals(Interruption):
    """Leave the signals of a worker to Ray."""

    def take(self) -> None:
        """Install no handlers."""


def train_remote_jobs(
    remotes: Sequence[RemoteJob], environment: Mapping[str, str], swept: Sequence[str]
) -> list[RemoteJob]:
    """Train jobs as one stack, in temporary folders of the worker, and return their files."""
    with tempfile.TemporaryDirectory() as scratch:
        jobs = [unpack(remote, Path(scratch) / str(number), environment) for number, remote in enumerate(remotes)]
        run_jobs([jobs], interruption=WithoutSignals(), shown=False, swept=swept)
        return [repack(remote, job) for remote, job in zip(remotes, jobs, strict=True)]


def unpack(remote: RemoteJob, folder: Path, environment: Mapping[str, str]) -> Job:
    """Write a job's files into a folder of the worker."""
    for name, content in remote.files.items():
        write_atomically(folder / name, content)
    # The paths of loggers were resolved before the job was sent.
    config = OmegaConf.create(remote.config.replace(remote.folder, str(folder)))
    assert isinstance(config, DictConfig)
    run_folder = RunFolder(folder)
    return Job(config, run_folder, run_folder.log, tuple(environment.items()))


def repack(remote: RemoteJob, job: Job) -> RemoteJob:
    """Collect a job's files, with the paths in them changed back to the original folder."""
    here, there = str(job.folder.path).encode(), remote.folder.encode()
    files = {
        name: content.replace(here, there) if name.endswith((".log", ".yaml")) else content
        for name, content in read_files(job.folder.path).items()
        if not name.startswith(".hydra")
    }
    return RemoteJob(remote.config, remote.folder, files, job.metrics, as_sentence(job.error) if job.error else "")


def read_files(folder: Path) -> dict[str, bytes]:
    """Read all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
