"""The data of a stack, split, scaled, and kept on the device."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

from fit.data.batches import Batches
from fit.data.dataset import Rows
from fit.data.problem import Problem
from fit.data.scalers import Scaler

Batch = TypeVar("Batch")


class Region(NamedTuple):
    """Rows that a stack is judged on: scaled inputs and targets, and the targets in their own units.

    All are `[members or 1, rows, columns]`; `truth` is float64.
    """

    name: str
    inputs: Tensor
    targets: Tensor
    truth: Tensor


class SingleBatch(Generic[Batch]):
    """A loader of one batch, for Lightning, which would unpack a list."""

    def __init__(self, get: Callable[[], Batch]) -> None:
        """Keep the function that returns the current batch."""
        self.get = get

    def __len__(self) -> int:
        """Return 1."""
        return 1

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batch."""
        yield self.get()


class DataModule(LightningDataModule):
    """The data of a stack's members; members with the same problem share one copy."""

    def __init__(self, problems: Sequence[Problem], seeds: Sequence[int], dtype: torch.dtype = torch.float32) -> None:
        """Keep one problem and one seed (of the shuffling) for each member."""
        super().__init__()
        self.dtype = dtype
        self.problems = list(problems)
        distinct = self.problems if len(set(problems)) > 1 else self.problems[:1]
        self.regions = [
            self._stack(
                distinct, name, [problem.train if name == "train" else problem.fresh[name] for problem in distinct]
            )
            for name in ("train", *distinct[0].fresh)
        ]
        scalers = [problem.target_scaler for problem in distinct]
        self.target_scaler = Scaler(*(torch.stack(columns).unsqueeze(1) for columns in zip(*scalers, strict=True)))
        train = self.regions[0]
        self.batches = Batches(train.inputs, train.targets, problems[0].dataset.batch_size, seeds)

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of inputs and of targets."""
        train = self.problems[0].train
        return train.inputs.shape[1], train.targets.shape[1]

    def keep(self, members: list[int]) -> None:
        """Drop all members but these."""
        self.problems = [self.problems[member] for member in members]
        self.batches.keep(members)
        if len(self.target_scaler.center) > 1:
            self.regions = [
                Region(name, inputs[members], targets[members], truth[members])
                for name, inputs, targets, truth in self.regions
            ]
            self.target_scaler = Scaler(*(part[members] for part in self.target_scaler))
        self.batches.inputs, self.batches.targets = self.regions[0].inputs, self.regions[0].targets

    def setup(self, stage: str) -> None:
        """Move the rows to the device of the stack."""
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        # Apple's GPUs have no double precision, in which errors are measured.
        judge = torch.device("cpu") if device.type == "mps" else device
        self.regions = [
            Region(name, inputs.to(device), targets.to(device), truth.to(judge))
            for name, inputs, targets, truth in self.regions
        ]
        self.batches.inputs, self.batches.targets = self.regions[0].inputs, self.regions[0].targets
        self.target_scaler = Scaler(*(part.to(judge) for part in self.target_scaler))

    def transfer_batch_to_device(self, batch: object, device: torch.device, dataloader_idx: int) -> object:
        """Return the batch, which `setup` has moved already."""
        return batch

    def train_dataloader(self) -> "SingleBatch[Batches]":
        """Return one Lightning batch: a block of passes over the batches."""
        return SingleBatch(lambda: self.batches)

    def val_dataloader(self) -> "SingleBatch[list[Region]]":
        """Return one Lightning batch: the training rows, then every validation region.

        In a loader of its own each would cost half a millisecond of every evaluation.
        """
        return SingleBatch(lambda: self.regions)

    def _stack(self, problems: Sequence[Problem], name: str, rows: Sequence[Rows]) -> Region:
        """Scale each member's rows and stack them."""
        inputs = [problem.input_scaler.transform(each.inputs) for problem, each in zip(problems, rows, strict=True)]
        targets = [problem.target_scaler.transform(each.targets) for problem, each in zip(problems, rows, strict=True)]
        return Region(
            name,
            torch.stack(inputs).to(self.dtype),
            torch.stack(targets).to(self.dtype),
            torch.stack([each.targets for each in rows]),
        )
