"""Several networks of one job, trained together: the folds of a cross-validation, or an ensemble over seeds."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf, open_dict

from fit.data.problem import Problem, build_dataset, pose
from fit.doctor.diagnose import merge_diagnoses
from fit.doctor.finding import read_diagnosis
from fit.doctor.text import format_diagnosis
from fit.errors import FitError
from fit.evaluation.baselines import baselines
from fit.evaluation.errors import errors
from fit.job import Job
from fit.predict.predictor import Predictor, load_predictor
from fit.report.ensemble import write_ensemble_figures
from fit.report.text import format_ensemble_header, format_ensemble_summary
from fit.settings.no_effect import without_effect
from fit.settings.replicas import replica_config
from fit.training.checkpoint import stored_epoch


def make_replicas(job: Job) -> list[Job]:
    """Return the jobs of a job's networks: itself, unless it has `cv` or `ensemble`.

    Raises FitError for invalid data, before any folder is made.
    """
    if job.networks == 1:
        return [job]
    data = job.cfg.data.copy()
    with open_dict(data):
        data.folds = job.cfg.cv
    pose(build_dataset(data))
    replicas = [make_replica(job, number) for number in range(job.networks)]
    job.log(format_ensemble_header(job.cfg, job.folder, [stored_epoch(replica.folder.last) for replica in replicas]))
    for note in without_effect(job.cfg, job.folder.read_overrides):
        job.log(note)
    return replicas


def group_resumable(jobs: Iterable[Job]) -> list[list[Job]]:
    """Group jobs that resume from the same epoch: a killed process may have saved some of them later than others.

    Folds are grouped by their number of rows, which differ by one if the rows do not split evenly.
    """
    groups: dict[tuple[int, int | None], list[Job]] = {}
    for job in jobs:
        rows = None if job.cfg.data.get("folds") is None else len(build_dataset(job.cfg.data).split()[0].inputs)
        groups.setdefault((stored_epoch(job.folder.last), rows), []).append(job)
    return list(groups.values())


def make_replica(job: Job, number: int) -> Job:
    """Create the job of one network, in a folder below that of the whole job."""
    folder = job.folder.replica(number)
    folder.path.mkdir(parents=True, exist_ok=True)
    shutil.copytree(job.folder.config.parent, folder.config.parent, dirs_exist_ok=True)
    cfg = replica_config(job.cfg, number)
    with open_dict(cfg):
        cfg.logger = move_loggers(cfg.logger, job.folder.path, folder.path)
    folder.write_config(cfg)
    return Job(cfg, folder, folder.log)


def move_loggers(loggers: DictConfig, before: Path, now: Path) -> DictConfig:
    """Return loggers that write into another folder."""
    text = OmegaConf.to_yaml(loggers, resolve=True).replace(str(before.absolute()), str(now.absolute()))
    return DictConfig(OmegaConf.create(text))


def finish_ensemble(job: Job, replicas: Sequence[Job], drawn: bool) -> None:
    """Write and log the joint results of a job's networks; an error or interruption of one is that of the job."""
    job.error = next((replica.error for replica in replicas if replica.error is not None), None)
    if job.error is not None:
        return
    if not all(replica.metrics for replica in replicas):
        job.log(f"Interrupted. To resume: python -m fit.train resume={job.folder.path}")
        return
    metrics = average_metrics([replica.metrics for replica in replicas])
    try:
        if job.cfg.ensemble is not None:
            problem = pose(build_dataset(job.cfg.data))
            metrics |= baselines(problem) | ensemble_errors(load_predictor(job.folder.path, trust=True), problem)
        job.folder.write_history(job.folder.mean_history())
        if drawn:
            write_ensemble_figures(job.folder, job.cfg, metrics)
        diagnosis = merge_diagnoses([read_diagnosis(replica.folder) for replica in replicas])
        job.folder.write_diagnosis(diagnosis.as_json())
        job.folder.write_metrics(metrics)
    except (FitError, OSError) as error:
        job.error = error
        return
    job.metrics = metrics
    job.log(
        format_ensemble_summary(job.folder, "folds" if job.cfg.cv else "members", metrics, format_diagnosis(diagnosis))
    )


def average_metrics(metrics: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Average the metrics of several networks, with `std/KEY` for each `KEY`; others that differ are dropped."""
    mean: dict[str, object] = {"members": len(metrics)}
    for key, first in metrics[0].items():
        values = [each.get(key) for each in metrics]
        if isinstance(first, bool):
            mean[key] = any(values)
        elif "/" in key and all(isinstance(value, int | float) for value in values):
            numbers = torch.tensor([float(str(value)) for value in values], dtype=torch.float64)
            mean |= {key: float(numbers.mean()), f"std/{key}": float(numbers.std())}
        elif all(value == first for value in values):
            mean[key] = first
    lost = [each["diverged_epoch"] for each in metrics if each["diverged_epoch"] is not None]
    mean["diverged_epoch"] = min(map(int, map(str, lost)), default=None)
    mean["epochs"] = max(int(str(each["epochs"])) for each in metrics)
    return mean


def ensemble_errors(predict: Predictor, problem: Problem) -> dict[str, object]:
    """Return the errors of an ensemble's mean prediction, as `ensemble/REGION/ERROR`."""
    metrics: dict[str, object] = {}
    for region, rows in ({"train": problem.train} | problem.fresh).items():
        measured = errors(predict(rows.inputs)[0].unsqueeze(0), rows.targets.unsqueeze(0))
        metrics |= {f"ensemble/{region}/{key}": float(values[0, 0]) for key, values in measured.items()}
    return metrics
