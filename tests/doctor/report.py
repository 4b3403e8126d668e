"""`make doctor-report`: every case of the table, diagnosed and cured; recall, precision and cure rate per id."""

import math
import sys
import tempfile
from collections import Counter
from pathlib import Path

import torch
from omegaconf import OmegaConf

sys.path.insert(0, str(Path(__file__).parents[1]))
from doctor.cases import FILES, write_files
from doctor.faulty import FAULTY
from doctor.healthy import HEALTHY
from fit.doctor.__main__ import train_jobs
from fit.doctor.cures.attempt import plan_cure, read_attempt
from fit.doctor.finding import read_diagnosis
from fit.execute import finished, run_jobs
from fit.hydra_adapter.python import opened_run
from fit.job import Job
from fit.settings.rules import check


def run(case, folder):
    """Train what a case types."""
    overrides = [each.replace(FILES, str(folder)) for each in case.overrides]
    number = len(list(folder.glob("run*")))
    with opened_run([*overrides, "logger=none", f"hydra.run.dir={folder / f'run{number}'}"], None) as (cfg, place):
        OmegaConf.resolve(cfg)
        check(cfg)
        job = Job(cfg, place, lambda text: None)
        run_jobs([[job]], shown=False, swept=())  # without figures
        finished([job])
        return job


def cured(job, finding):
    """Try a prescription as `--cure` does, and say how it went; None where there is none."""
    if not finding.cure:
        return None
    trial = plan_cure(job.folder, job.cfg, finding.cure)
    train_jobs([trial.job, *trial.before, *trial.after])
    return read_attempt(job.folder, job.cfg, trial).verdict


def main():
    """Go through the table."""
    torch.set_num_threads(1)
    named, first, tried, worked, better, stray, cases, said, right = (Counter() for _ in range(9))
    seconds, alarms = [], 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_files(folder)
        for case in [*FAULTY, *HEALTHY]:
            job = run(case, folder)
            told = read_diagnosis(job.folder)
            seconds.append(told.seconds)
            ids = [finding.id for finding in told.findings]
            if not case.ids:
                alarms += bool(ids) or not told.healthy
                print(f"{'FALSE ALARM' if ids else 'healthy':<12}{case.name:<36}{', '.join(ids)}", flush=True)
                said.update(ids[:1])
                continue
            kind = case.ids[0]
            cases[kind] += 1
            hit = any(each in case.ids for each in ids)
            named[kind] += hit
            first[kind] += bool(ids) and ids[0] in case.ids
            said.update(ids[:1])
            right.update(each for each in ids[:1] if each in case.ids)
            verdict = cured(job, told.findings[0]) if told.findings else None
            tried[kind] += verdict is not None
            worked[kind] += verdict is not None and verdict.word == "cured"
            better[kind] += verdict is not None and verdict.word == "better"
            stray[kind] += len(set(ids) - set(case.ids))
            print(
                f"{'named' if hit else 'MISSED':<8}{case.name:<38}{', '.join(ids)}\n{'':<8}{verdict or 'no cure'}",
                flush=True,
            )
    print(f"\n{'id':<24}{'cases':>6}{'named':>7}{'first':>7}{'precision':>11}{'others':>8}{'cured':>9}{'better':>8}")
    for kind in [*cases, *(each for each in said if each not in cases)]:
        precision = f"{right[kind]}/{said[kind]}" if said[kind] else "-"
        print(
            f"{kind:<24}{cases[kind]:>6}{named[kind]:>7}{first[kind]:>7}{precision:>11}"
            f"{stray[kind]:>8}{f'{worked[kind]}/{tried[kind]}':>9}{better[kind]:>8}"
        )
    total = sum(cases.values())
    print(
        f"\n{total} faulty: {sum(named.values())} named, {sum(first.values())} as the first; "
        f"{sum(worked.values())} of {sum(tried.values())} prescriptions cured, {sum(better.values())} helped; "
        f"{len(HEALTHY)} healthy: {alarms} false alarms"
    )
    seconds = sorted(seconds)
    print(f"seconds per diagnosis: median {seconds[len(seconds) // 2]:.3f}, most {math.ceil(100 * seconds[-1]) / 100}")


if __name__ == "__main__":
    main()
