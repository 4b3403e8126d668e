"""`FitRegressor`: fit in scikit-learn's shape, for pipelines, cross-validation and searches."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import torch
from omegaconf import DictConfig

from fit.errors import FitError

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise FitError("fit.FitRegressor needs scikit-learn: pip install 'fit[sklearn]'.") from None

# Held-out rows that are enough to choose an epoch by.
FEWEST_HELD_OUT = 10


class FitRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A multilayer perceptron on standardized inputs and targets.

    The settings are those of the command: `hidden` layers, `activation`, `optimizer` and `scheduler` by the name of
    their configuration, `lr`, `max_epochs`, `batch_size` (None: all rows), `loss`, `l2`. Of the rows,
    `validation_fraction` are held out to keep the weights of the epoch at which they were best, and training stops
    when that was `patience` epochs ago (None: never). `random_state` draws start values, order and split.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (64, 64),
        activation: str = "gelu",
        optimizer: str = "adam",
        lr: float = 1e-2,
        max_epochs: int = 500,
        *,
        scheduler: str = "cosine",
        batch_size: int | None = 64,
        loss: str = "mse",
        l2: float = 0.0,
        validation_fraction: float = 0.1,
        patience: int | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        """Keep the settings; `fit` checks them."""
        self.hidden = hidden
        self.activation = activation
        self.optimizer = optimizer
        self.lr = lr
        self.max_epochs = max_epochs
        self.scheduler = scheduler
        self.batch_size = batch_size
        self.loss = loss
        self.l2 = l2
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:  # noqa: ANN401, N803
        """Fit to inputs `[rows, inputs]` and targets `[rows]` or `[rows, targets]`.

        Raises ValueError for data that are not numbers, and FitError for settings that cannot be.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, multi_output=True)  # noqa: N806
        self._flat = y.ndim == 1
        seed = check_random_state(self.random_state).randint(2**31 - 1) if self.random_state != 0 else 0
        held_out = round(len(X) * self.validation_fraction) >= FEWEST_HELD_OUT
        with TemporaryDirectory() as scratch:
            folder = Path(scratch)
            save(folder / "data.npz", X, y.reshape(len(y), -1).astype(np.float64), held_out)
            checkpoint, self.metrics_, self.history_ = trained(self._configure(folder, int(seed), held_out), folder)
        self.checkpoint_ = {key: value for key, value in checkpoint.items() if key not in ("optimizer", "generators")}
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: ANN401, N803
        """Return the targets at inputs `[rows, inputs]`, in the shape of those that were fitted."""
        from fit.training.checkpoint import predictor

        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)  # noqa: N806
        values: np.ndarray = predictor(self.checkpoint_)(torch.tensor(X)).numpy()  # type: ignore[arg-type]
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401
        """Say that several targets are possible."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _configure(self, folder: Path, seed: int, held_out: bool) -> DictConfig:
        """Write the settings as a configuration, and check them."""
        from fit.config.rules import check

        cfg = composed(self.optimizer, self.scheduler).copy()
        cfg.seed, cfg.loss = seed, self.loss
        cfg.data.path, cfg.data.batch_size, cfg.data.seed = str(folder / "data.npz"), self.batch_size, seed
        cfg.data.val_fraction = float(self.validation_fraction) if held_out else 0.0
        cfg.model.hidden, cfg.model.activation = [int(width) for width in self.hidden], self.activation
        cfg.optimizer.lr, cfg.regularization.l2 = self.lr, self.l2
        cfg.trainer.max_epochs = self.max_epochs
        cfg.early_stopping.patience = self.patience
        check(cfg)
        return cfg


@cache
def composed(optimizer: str, scheduler: str) -> DictConfig:
    """Compose a configuration, once for each choice, as that takes longer than a small fit."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException

    from fit.config.command import CONF, sentence

    groups = ["data=arrays", "logger=none", f"optimizer={optimizer}", f"scheduler={scheduler}"]
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose("train", groups)
    except HydraException as error:
        raise FitError(sentence(error)) from None


def save(path: Path, inputs: np.ndarray, targets: np.ndarray, held_out: bool) -> None:
    """Write the rows; where none are held out, those trained on are looked at, and nothing is chosen by them."""
    looked_at = {} if held_out else {"val_inputs": inputs, "val_targets": targets}
    np.savez(path, allow_pickle=False, inputs=inputs, targets=targets, **looked_at)


def trained(cfg: DictConfig, path: Path) -> tuple[dict[str, Any], dict[str, object], list[dict[str, float]]]:
    """Train in a folder and return the checkpoint, the metrics and the history; raise what went wrong."""
    os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    from fit.callbacks.progress import Bar
    from fit.config.interruption import Interruption
    from fit.folder import RunFolder
    from fit.job import Job
    from fit.train import train
    from fit.training.checkpoint import load

    folder = RunFolder(path)
    folder.write_config(cfg)
    job = Job(cfg, folder, lambda text: None)
    with Interruption() as interruption:
        train([job], interruption, Bar(2, 0), [])
    if job.error is not None:
        raise job.error
    if interruption():
        raise KeyboardInterrupt
    checkpoint = load(folder.last if cfg.data.val_fraction == 0 else folder.best)
    return dict(checkpoint), job.metrics, folder.read_history()
