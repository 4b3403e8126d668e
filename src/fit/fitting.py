"""Fitting a stack: from jobs to networks, through Lightning's trainer, to the files of the run folders."""

import time
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from fit.doctor.case import Case
from fit.doctor.cases import case_of_run
from fit.doctor.diagnose import diagnose, diagnose_before_training
from fit.doctor.settings import Settings
from fit.doctor.text import format_diagnosis, format_markdown, format_warnings, quote_overrides
from fit.errors import FitError
from fit.interruption import Interruption
from fit.job import Job
from fit.report.figures import draw_fit
from fit.report.style import to_pixels
from fit.report.summary import make_drawing, summarize, write_figures
from fit.report.text import format_run_header, format_run_summary
from fit.trainer import build_loggers, build_module, build_trainer, finalize
from fit.training.callbacks.checkpoints import Checkpoints
from fit.training.callbacks.progress import Bar
from fit.training.callbacks.tensorboard import TensorBoard
from fit.training.engines import choose_engine
from fit.training.module import StackModule
from fit.training.run import Run, build_runs


def fit_stack(jobs: Sequence[Job], interruption: Interruption, bar: Bar, swept: Sequence[str] | None = None) -> None:
    """Fit the networks of jobs as one stack, and write each one's results into its folder as it finishes.

    The jobs differ only in settings that members of a stack may differ in. A failure of one job is its `error`; one of
    the whole stack is raised. With `swept`, the keys that a sweep varies, nothing is drawn.
    """
    started = time.perf_counter()
    runs = build_runs(jobs)
    warned = warn_before_training(runs, swept is not None)
    runs = {run: job for run, job in runs.items() if job.error is None}
    if not runs:
        return
    module = build_module(list(runs), interruption)
    for run in runs:
        run.loggers = build_loggers(run)
        run.drawn = swept is None and run.cfg.figures
    board = TensorBoard(list(runs), swept or (), partial(fit_pixels, module))
    checkpoints = Checkpoints(list(runs))
    results = Results(runs, module, board, checkpoints, started)
    trainer = build_trainer(list(runs), interruption, bar, board, checkpoints, results.write)
    device = trainer.strategy.root_device
    try:
        engine = choose_engine(module.stack, module.recipe, device)
        for run, job in runs.items():
            with run.guarded():
                job.log(format_run_header(run, device, engine))
                if run in warned:
                    job.log(warned[run])
                if job.cfg.resume is not None:
                    run.folder.write_config(job.cfg)
        trainer.fit(module, datamodule=module.data)
    finally:
        for run, job in runs.items():
            job.error = job.error or run.error
            finalize(run)
    for run in module.runs:
        runs[run].log(
            f"Interrupted after epoch {module.engine.epoch}. To resume: python -m fit.train resume={run.folder.path}"
        )


class Results:
    """Writes and logs the results of each run of a stack as it finishes."""

    def __init__(
        self,
        jobs: Mapping[Run, Job],
        module: StackModule,
        board: TensorBoard,
        checkpoints: Checkpoints,
        started: float,
    ) -> None:
        """Keep the runs with their jobs, their module and callbacks, and the start time."""
        self.jobs, self.module, self.board, self.checkpoints = jobs, module, board, checkpoints
        self.started = started

    def write(self, run: Run) -> None:
        """Write metrics, diagnosis and figures of a finished run, and log a summary."""
        job, module = self.jobs[run], self.module
        outcome = module.outcome(run, self.checkpoints.seconds)
        metrics = summarize(run, outcome, time.perf_counter() - self.started + self.checkpoints.seconds_before)
        diagnosis = diagnose(case_of_run(run, module, metrics, len(self.jobs)))
        typed = run.folder.read_overrides() if diagnosis.findings else ()
        run.folder.write_diagnosis(diagnosis.as_json())
        picture = write_figures(run.folder, run.problem, outcome.predict, metrics) if run.drawn else None
        self.board.finish(run, picture, module.row(run), format_markdown(diagnosis))
        job.log(format_run_summary(run, outcome, metrics, format_diagnosis(diagnosis, typed)))
        finalize(run)
        # Last: they mark the run as finished.
        run.folder.write_metrics(metrics)
        job.metrics = metrics


def fit_pixels(module: StackModule, run: Run) -> np.ndarray:
    """Draw the current fit of a run, as bytes `[height, width, 3]`."""
    return to_pixels(draw_fit(make_drawing(run.problem, partial(module.predict, run))))


def warn_before_training(runs: Mapping[Run, Job], swept: bool) -> dict[Run, str]:
    """Return warnings of failures that are known before training; with doctor.before=stop they are the job's error.

    In a sweep there are no warnings: the final diagnosis reports the same at less cost.
    """
    messages = {}
    for run, job in runs.items():
        policy = job.cfg.doctor.before
        if policy == "off" or run.stored is not None or (policy == "warn" and swept):
            continue
        findings = diagnose_before_training(Case(Settings.of(job.cfg), run.problem))
        if findings and policy == "stop":
            cure = " ".join(quote_overrides(findings[0].cure))
            job.error = FitError(
                f"doctor.before=stop, {findings[0].title}: {findings[0].explanation.rstrip('.')}"
                + (f"; cure: {cure}" if cure else ".")
            )
        elif findings:
            messages[run] = format_warnings(findings)
    return messages
