"""`python -m fit.doctor RUN_FOLDER`: why a fit failed, and the setting that cures it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fit.determinism import fix_products
from fit.errors import FitError, as_sentence, run_command
from fit.folder import RunFolder
from fit.settings.trust import check_trust

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from fit.doctor.finding import Diagnosis
    from fit.job import Job

# Prescriptions that are tried before giving up.
MOST_CURES = 6


def main(arguments: list[str] | None = None) -> int:
    """Diagnose a run; return the exit code, which is 1 if `--cure` found nothing that helps."""
    parser = argparse.ArgumentParser(prog="python -m fit.doctor", description=__doc__)
    parser.add_argument("folder", type=Path, help="a run folder; of a sweep one of its jobs, such as SWEEP_FOLDER/0")
    parser.add_argument(
        "--cure",
        action="store_true",
        help="train the prescribed cures into RUN_FOLDER/cures until one works; figures/cure.png compares both fits",
    )
    parser.add_argument("--trust", action="store_true", help="run code that the folder names, such as a data.function")
    typed = parser.parse_args(arguments)
    fix_products()
    return run_command(lambda: report_diagnosis(RunFolder(typed.folder), typed.cure, typed.trust))


def report_diagnosis(folder: RunFolder, cure: bool, trust: bool) -> int:
    """Print and save why a run failed; with `cure`, train what is prescribed."""
    from fit.doctor.text import format_diagnosis
    from fit.settings.rules import check
    from fit.sweep.results.jobs import StoredJob

    if (folder.path / "multirun.yaml").is_file():
        raise FitError(f"{folder.path} is a sweep: give one of its jobs, such as {folder.path / '0'}.")
    if not folder.config.is_file():
        raise FitError(f"{folder.path} is not a run folder: give one that holds .hydra/config.yaml.")
    cfg = StoredJob(folder).cfg
    if not trust:
        check_trust(cfg, folder.path, "give --trust")
    check(cfg)
    diagnosis = diagnose_folder(folder, cfg)
    print(format_diagnosis(diagnosis, folder.read_overrides()) or "Healthy: no findings.")
    try:
        folder.write_diagnosis(diagnosis.as_json())
    except (FitError, OSError) as error:
        print(f"fit: {as_sentence(error)} The diagnosis was not saved.", file=sys.stderr)
    if not cure or diagnosis.healthy:
        if any(finding.cure for finding in diagnosis.findings):
            single = folder.replica(0).path if folder.replicas else folder.path
            print(f"\nTry it: python -m fit.doctor {single} --cure")
        return 0
    if folder.replicas:
        raise FitError(f"--cure needs a single run: give a member, such as {folder.replica(0).path}.")
    return try_cures(folder, cfg, diagnosis)


def diagnose_folder(folder: RunFolder, cfg: "DictConfig") -> "Diagnosis":
    """Diagnose a run; of several networks (`cv` or `ensemble`), merge their diagnoses."""
    from fit.doctor.cases import case_of_folder
    from fit.doctor.diagnose import diagnose, merge_diagnoses
    from fit.settings.replicas import replica_config

    if folder.replicas:
        cases = [case_of_folder(replica, replica_config(cfg, number)) for number, replica in enumerate(folder.replicas)]
        return merge_diagnoses([diagnose(case) for case in cases])
    return diagnose(case_of_folder(folder, cfg))


def try_cures(folder: RunFolder, cfg: "DictConfig", diagnosis: "Diagnosis") -> int:
    """Train the prescribed cures in as few stacks as possible, then those of the best attempt, until one works."""
    from fit.doctor.cures.attempt import (
        Attempt,
        draw_attempt,
        format_comparison,
        group_cures,
        list_cures,
        plan_cure,
        read_attempt,
    )
    from fit.doctor.finding import read_diagnosis
    from fit.doctor.text import quote_overrides
    from fit.interruption import StopNow
    from fit.report.run import write_run_figures
    from fit.settings.identity import identity, plain

    known = {identity(plain(cfg))}
    left, tried = group_cures(cfg, list_cures(diagnosis), known), list[Attempt]()
    if not left:
        print("\nThere is no setting to try.")
        return 1
    while left and len(tried) < MOST_CURES:
        print("       That did not cure it; next:\n" if tried else "", flush=True)
        stack = left.pop(0)
        plans = [plan_cure(folder, cfg, overrides) for overrides in stack]
        try:
            done = train_jobs([job for plan in plans for job in (plan.job, *plan.after, *plan.before)])
        except StopNow:
            return 130
        if not done:
            print("Interrupted: repeat the command to continue.")
            return 130
        for plan in plans if cfg.figures else ():
            write_run_figures(plan.job.folder, plan.job.cfg, plan.job.folder.read_metrics())
        tried += [read_attempt(folder, cfg, plan) for plan in plans]
        print("\n".join(format_comparison(tried[-len(stack) :])))
        best = min(tried, key=lambda each: (each.verdict.rank, each.after.worst_error))
        figure = draw_attempt(folder, best)
        if best.verdict.word == "cured":
            if figure is not None:
                print(f"       figure {figure}")
            return 0
        if not left:
            left = group_cures(cfg, list_cures(read_diagnosis(best.folder), best.overrides), known)
    if best.verdict.worked:
        print(f"\nNo prescription cured it; this one helped most: {' '.join(quote_overrides(best.overrides))}")
        return 0
    print("\nNo prescription helped.")
    return 1


def train_jobs(jobs: "Sequence[Job]") -> bool:
    """Train the unfinished jobs in as few stacks as possible; return whether all finished, raise the error of any."""
    from fit.execute import finished, run_jobs
    from fit.settings.identity import shared
    from fit.settings.rules import check

    new = {job.folder.path: job for job in jobs if not job.metrics}
    groups: dict[str, list[Job]] = {}
    for job in new.values():
        check(job.cfg)
        groups.setdefault(shared(job.cfg), []).append(job)
    run_jobs(list(groups.values()), swept=())
    return finished(list(new.values()))


if __name__ == "__main__":
    sys.exit(main())
