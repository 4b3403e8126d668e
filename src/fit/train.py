"""The main job: `python -m fit.train model=mlp_gelu data=xy_square`, from configuration to run folder."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from fit.errors import FitError, as_sentence, refuse
from fit.folder import RunFolder
from fit.hydra_adapter.command import alone, command, hydra_config, run_path
from fit.interruption import Interruption, StopNow
from fit.job import Job
from fit.settings.names import check_names
from fit.settings.rules import check

if TYPE_CHECKING:  # torch takes seconds to import, and a setting that cannot be is refused before
    from fit.training.callbacks.progress import Bar
    from fit.training.run import Run

log = logging.getLogger("fit")


def main(cfg: DictConfig) -> float:
    """Fit, tell, and return the number that a sweep compares: infinity where the loss stopped being finite."""
    folder = RunFolder(run_path())
    job = Job(cfg, folder, log.info)
    try:
        check(cfg)
        if not alone():  # of a run of its own it was asked before there was a folder
            check_names(cfg, hydra_config())
        from fit.training.callbacks.progress import Bar

        with (
            Interruption() as interruption,
            folder.locked(),
            Bar(job.networks, job.networks * cfg.trainer.max_epochs) as bar,
        ):
            train([job], interruption, bar)
        if job.error is not None:
            raise job.error
    except StopNow:
        log.info("Stopped at once. To resume: python -m fit.train resume=%s", folder.path)
        raise SystemExit(130) from None
    except Exception as error:
        if not alone():
            log.error(as_sentence(error))  # where the table of a sweep finds it
        elif isinstance(error, FitError | OSError | MemoryError):
            if cfg.resume is None:
                folder.discard_if_untrained()
            raise SystemExit(refuse(error)) from None
        raise
    if not job.metrics:
        assert interruption.received is not None
        raise SystemExit(128 + interruption.received)
    return job.value


def train(jobs: Sequence[Job], interruption: Interruption, bar: "Bar", swept: Sequence[str] | None = None) -> None:
    """Fit what the jobs describe, alike but for what members of a stack may differ in, and write into their folders.

    What cannot be done for one job is its `error`; what concerns all of them is raised. An interruption ends all after
    the present pass: their checkpoints are saved. With `swept`, what a sweep varies, nothing is drawn.
    """
    from fit.ensemble import conclude, members, stacks

    committees = {}
    for job in jobs:
        try:
            committees[job] = members(job)
        except (FitError, OSError) as error:
            job.error = error
    single = all(parts == [job] for job, parts in committees.items())
    for stack in stacks(part for parts in committees.values() for part in parts):
        if not interruption():
            train_stack(stack, interruption, bar, swept if single else swept or ())
    for job, parts in committees.items():
        if parts != [job]:
            conclude(job, parts, drawn=swept is None)


def train_stack(
    jobs: Sequence[Job], interruption: Interruption, bar: "Bar", swept: Sequence[str] | None = None
) -> None:
    """Fit the networks that the jobs describe as one stack, and write everything into their folders as each ends."""
    from fit.doctor.cases import live_case
    from fit.doctor.diagnose import diagnose
    from fit.doctor.text import markdown, say
    from fit.report.summary import summarize, write_figures
    from fit.report.text import after, before
    from fit.trainer import build_module, build_trainer, finalize
    from fit.training.run import build_runs

    started = time.perf_counter()
    runs = build_runs(jobs)
    if not runs:
        return
    warned = warn(runs, swept is not None)
    runs = {run: job for run, job in runs.items() if job.error is None}
    if not runs:
        return
    module = build_module(list(runs), interruption)

    def finish(run: "Run") -> None:
        """Write and tell how a run ended."""
        job = runs[run]
        outcome = module.outcome(run, rig.checkpoints.seconds)
        metrics = summarize(run, outcome, time.perf_counter() - started + rig.checkpoints.seconds_before)
        diagnosis = diagnose(live_case(run, module, metrics, len(runs)))
        typed = run.folder.read_overrides() if diagnosis.findings else ()
        run.folder.write_diagnosis(diagnosis.as_json())
        picture = write_figures(run.folder, run.problem, outcome.predict, metrics) if swept is None else None
        rig.board.finish(run, picture, module.row(run), markdown(diagnosis))
        job.tell(after(run, outcome, metrics, say(diagnosis, typed)))
        finalize(run)
        # Last: a folder that has them is done.
        run.folder.write_metrics(metrics)
        job.metrics = metrics

    rig = build_trainer(list(runs), module, interruption, bar, finish, swept)
    try:
        for run, job in runs.items():
            with run.guarded():
                job.tell(before(run, rig.trainer.strategy.root_device))
                if run in warned:
                    job.tell(warned[run])
                if job.cfg.resume is not None:
                    run.folder.write_config(job.cfg)
        rig.trainer.fit(module, datamodule=module.data)
    finally:
        for run, job in runs.items():
            job.error = job.error or run.error
            finalize(run)
    for run in module.runs:
        runs[run].tell(
            f"Interrupted after epoch {module.engine.epoch}. To resume: python -m fit.train resume={run.folder.path}"
        )


def warn(runs: "Mapping[Run, Job]", swept: bool) -> "dict[Run, str]":
    """Say what can be known before time is spent, or make it a job's error where `doctor.before` is stop.

    In a sweep the diagnosis says it at the end, for less.
    """
    from fit.doctor.case import Case
    from fit.doctor.diagnose import foresee
    from fit.doctor.settings import Settings
    from fit.doctor.text import quoted, warnings

    told = {}
    for run, job in runs.items():
        asked = job.cfg.doctor.before
        if asked == "off" or run.stored is not None or (asked == "warn" and swept):
            continue
        findings = foresee(Case(Settings.of(job.cfg), run.problem))
        if findings and asked == "stop":
            cure = " ".join(quoted(findings[0].cure))
            job.error = FitError(
                f"doctor.before=stop, {findings[0].title}: {findings[0].explanation.rstrip('.')}"
                + (f"; cure: {cure}" if cure else ".")
            )
        elif findings:
            told[run] = warnings(findings)
    return told


# What Hydra's launcher `stacked` calls for the jobs of a sweep instead of `main` for each.
main.together = train  # type: ignore[attr-defined]

if __name__ == "__main__":
    command(main)
