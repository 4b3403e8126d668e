"""Saving every run's last and best state, and taking it up again."""

import time
from collections.abc import Sequence
from typing import NamedTuple

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from fit.errors import FitError
from fit.training.checkpoint import FORMAT, Checkpoint, save
from fit.training.engine import Snapshot
from fit.training.module import StackModule
from fit.training.run import Best, Run

# Looks may come milliseconds apart, and a file that must survive a crash takes as long: so many seconds may be lost,
SECONDS_BETWEEN = 2.0
# or more where many runs are saved, so that saving takes no more than this part of the time.
PART_FOR_SAVING = 0.1
# Copies of the whole stack that may be held until then.
MOST_SNAPSHOTS = 4


class Moment(NamedTuple):
    """A stack at one moment; a member's part of it is a run's checkpoint."""

    engine: Snapshot
    seconds: float
    rows: list[dict[str, float]]
    shuffle: dict[int, Tensor]
    name: str  # of the engine


class Checkpoints(Callback):
    """Writes `last.ckpt` and `best.ckpt` (lowest `val/loss`) between blocks and at the end of each run."""

    def __init__(self, runs: Sequence[Run]) -> None:
        """Take the runs; those that go on have their stored checkpoints, all of one epoch."""
        self.runs = runs
        self.stored = [run.stored for run in runs if run.stored is not None]
        self.seconds_before = self.stored[0]["seconds"] if self.stored else 0.0
        self._next_save = 0.0
        self._unsaved_best: dict[Run, tuple[Moment, int]] = {}

    @property
    def seconds(self) -> float:
        """How long the runs have been trained, in this process and before."""
        return self.seconds_before + time.perf_counter() - self._started

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Resume from the stored checkpoints, and forget evaluations that are later."""
        assert isinstance(pl_module, StackModule)
        self._started = time.perf_counter()
        if self.stored:
            try:
                restore(pl_module, self.runs)
            except torch.OutOfMemoryError:
                raise
            except (KeyError, TypeError, ValueError, RuntimeError, AttributeError):
                raise FitError(
                    f"{self.runs[0].folder.last} is damaged: delete it and resume to train from the start."
                ) from None
        for run in self.runs:
            with run.guarded():
                run.folder.rewind_history(pl_module.engine.epoch if self.stored else -1)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what is the best so far, save whom it is the end of, and all if it is time to."""
        assert isinstance(pl_module, StackModule)
        epoch = pl_module.engine.epoch
        improved = [run for run in pl_module.due_runs if run.best.epoch == epoch]
        due = not trainer.sanity_checking and time.perf_counter() >= self._next_save
        saved = pl_module.runs if due or pl_module.stop() else pl_module.ended
        if not improved and not saved:
            return
        snapshot = self.capture(pl_module)
        self._unsaved_best |= {run: (snapshot, run.member) for run in improved}
        self.flush(snapshot)
        began = time.perf_counter()
        for run in [] if trainer.sanity_checking else saved:
            with run.guarded():
                self.save(run, snapshot)
        if due:
            now = time.perf_counter()
            self._next_save = now + max(SECONDS_BETWEEN, (now - began) / PART_FOR_SAVING)

    def flush(self, latest: Moment) -> None:
        """Write the best of older evaluations, when so many are held that they would fill the memory."""
        older = {run: held for run, held in self._unsaved_best.items() if held[0] is not latest}
        if len({id(snapshot) for snapshot, _ in older.values()}) < MOST_SNAPSHOTS:
            return
        for run, held in older.items():
            with run.guarded():
                save(describe(run, *held), run.folder.best)
            del self._unsaved_best[run]

    def save(self, run: Run, snapshot: Moment) -> None:
        """Write the best first: a last one must not speak of a best one that is not there."""
        if run in self._unsaved_best:
            save(describe(run, *self._unsaved_best.pop(run)), run.folder.best)
        save(describe(run, snapshot, run.member), run.folder.last)

    def capture(self, module: StackModule) -> Moment:
        """Copy the stack."""
        shuffle = {seed: each.get_state() for seed, each in module.batches.generators.items()}
        return Moment(module.engine.snapshot(), self.seconds, module.evaluation.rows, shuffle, module.engine.name)


def describe(run: Run, snapshot: Moment, member: int) -> Checkpoint:
    """Return what a run's checkpoint holds: its network at one moment, and what that takes to be used on its own."""
    problem, seed, diverged, engine = run.problem, int(run.cfg.seed), run.diverged_epoch, snapshot.engine
    return Checkpoint(
        format=FORMAT,
        epoch=engine.epoch,
        step=engine.step,
        seconds=snapshot.seconds,
        diverged_epoch=diverged if diverged is not None and diverged <= engine.epoch else None,
        best_epoch=run.best.epoch,
        best_loss=run.best.loss,
        evaluation=snapshot.rows[member],
        sizes=list(run.model.sizes),
        theta=engine.theta[member].cpu().clone(),
        optimizer=engine.member_state(member),
        generators={"shuffle": snapshot.shuffle[seed], "dropout": engine.dropout[seed]},
        input_scaler=dict(problem.input_scaler._asdict()),
        target_scaler=dict(problem.target_scaler._asdict()),
        inputs=list(problem.dataset.input_names),
        targets=list(problem.dataset.target_names),
        categories={column: list(words) for column, words in problem.dataset.categories.items()},
        dates=list(problem.dataset.dates),
        low=problem.train.inputs.amin(0),
        high=problem.train.inputs.amax(0),
        spread=problem.train.targets.std(0, correction=0),
        engine=snapshot.name,
        config=run.config,
    )


def restore(module: StackModule, runs: Sequence[Run]) -> None:
    """Put a stack's members where the checkpoints of their runs left them."""
    stored = {run.member: run for run in runs if run.stored is not None}
    module.engine.restore([member_snapshot(stored[member]) for member in range(module.stack.members)])
    for run in runs:
        if run.stored is None:
            continue
        run.best = Best(run.stored["best_epoch"], run.stored["best_loss"])
        run.diverged_epoch = run.stored["diverged_epoch"]
        run.recorded = int(run.stored["evaluation"].get("epoch", -1))
        module.batches.generators[int(run.cfg.seed)].set_state(run.stored["generators"]["shuffle"])


def member_snapshot(run: Run) -> Snapshot:
    """Return what an engine goes on from, from the checkpoint of a run."""
    stored = run.stored
    assert stored is not None
    dropout = {int(run.cfg.seed): stored["generators"]["dropout"]}
    return Snapshot(stored["epoch"], stored["step"], stored["theta"], stored["optimizer"], dropout)
