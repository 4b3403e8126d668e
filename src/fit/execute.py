"""The one way to train jobs: with locked folders, interruptible, under one progress bar."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from hydra.core.utils import env_override

from fit.determinism import fix_products
from fit.errors import MENDABLE, FitError
from fit.interruption import Interruption
from fit.job import Job

if TYPE_CHECKING:  # torch takes seconds to import, and invalid settings are reported before
    from fit.training.callbacks.progress import Bar


def run_jobs(
    stacks: Sequence[Sequence[Job]],
    *,
    interruption: Interruption | None = None,
    shown: bool = True,
    swept: Sequence[str] | None = None,
    fail_fast: bool = False,
) -> None:
    """Train the jobs of each stack together, stack by stack, until a signal or, with `fail_fast`, a failure.

    A failure of a job is its `error`; a job with neither error nor metrics was interrupted. With `swept`, the keys that
    a sweep varies, nothing is drawn. `shown` is whether there is a progress bar. Raises StopNow at a second signal.
    """
    jobs = [job for stack in stacks for job in stack]
    with ExitStack() as entered:
        stop = entered.enter_context(Interruption()) if interruption is None else interruption
        bar = entered.enter_context(locked_with_bar(jobs, shown))
        for stack in stacks:
            if stop() or (fail_fast and any(job.error is not None for job in jobs)):
                break
            run_stack([job for job in stack if job.error is None], stop, bar, swept)


def run_stack(jobs: Sequence[Job], interruption: Interruption, bar: "Bar", swept: Sequence[str] | None) -> None:
    """Train jobs together; a failure of the whole stack is the error of each job that has not finished."""
    if not jobs:
        return
    try:
        with env_override(dict(jobs[0].environment)):
            train(jobs, interruption, bar, swept)
    except Exception as error:  # whatever it is, the other stacks must still be trained
        for job in jobs:
            if not job.metrics and job.error is None:
                job.error = error


def train(jobs: Sequence[Job], interruption: Interruption, bar: "Bar", swept: Sequence[str] | None) -> None:
    """Train the networks of jobs, together if one stack can hold them, and finish each ensemble."""
    from fit.ensemble import finish_ensemble, group_resumable, make_replicas
    from fit.fitting import fit_stack

    networks: dict[Job, list[Job]] = {}
    for job in jobs:
        try:
            networks[job] = make_replicas(job)
        except (FitError, OSError) as error:
            job.error = error
    single = all(parts == [job] for job, parts in networks.items())
    for stack in group_resumable(part for parts in networks.values() for part in parts):
        if not interruption():
            fit_stack(stack, interruption, bar, swept if single else swept or ())
    for job, parts in networks.items():
        if parts != [job]:
            finish_ensemble(job, parts, drawn=swept is None and job.cfg.figures)


@contextmanager
def locked_with_bar(jobs: Sequence[Job], shown: bool = True) -> "Iterator[Bar]":
    """Lock the folders of jobs and yield a progress bar over all their epochs; restore Python's state afterwards.

    A folder that another process uses is an error of its job.
    """
    fix_products()
    from fit.trainer import surroundings_kept
    from fit.training.callbacks.progress import Bar

    networks = sum(job.networks for job in jobs)
    epochs = sum(job.networks * job.cfg.trainer.max_epochs for job in jobs)
    with ExitStack() as locks, surroundings_kept(), Bar(networks, epochs, shown=shown) as bar:
        for job in jobs:
            try:
                locks.enter_context(job.folder.locked())
            except MENDABLE as error:
                job.error = error
        yield bar


def finished(jobs: Sequence[Job]) -> bool:
    """Whether all jobs have finished, none being interrupted; raise the error of the first that failed."""
    for job in jobs:
        if job.error is not None:
            raise job.error
    return all(job.metrics for job in jobs)
