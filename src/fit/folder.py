"""The run folder: where everything of one run lies, written so that nothing is ever half there."""

import csv
import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from fit.errors import FitError


class RunFolder:
    """The files of one run."""

    def __init__(self, path: str | Path) -> None:
        """Take the folder, which exists."""
        self.path = Path(path)
        self.config = self.path / ".hydra" / "config.yaml"
        self.metrics = self.path / "metrics.json"
        self.history = self.path / "history.csv"
        self.last = self.path / "checkpoints" / "last.ckpt"
        self.best = self.path / "checkpoints" / "best.ckpt"
        self.fit_figure = self.path / "figures" / "fit.png"
        self.loss_figure = self.path / "figures" / "loss.png"

    def discard_if_untrained(self) -> None:
        """Remove the folder of a run that never began, so that nothing half-written stays."""
        if not self.last.exists() and not self.history.exists():
            shutil.rmtree(self.path, ignore_errors=True)

    def write_config(self, cfg: DictConfig) -> None:
        """Replace the configuration that Hydra wrote by the one of a resumed run."""
        stored = cfg.copy()
        stored.resume = None
        write_atomically(self.config, OmegaConf.to_yaml(stored).encode())

    def write_metrics(self, metrics: Mapping[str, object]) -> None:
        """Write metrics.json; a number that is not finite is null there, as JSON has no other word for it."""
        text = json.dumps(without_infinities(metrics), indent=2, ensure_ascii=False)
        write_atomically(self.metrics, text.encode())

    def append_history(self, row: Mapping[str, float]) -> None:
        """Add one look to history.csv."""
        new = not self.history.exists()
        with self.history.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)

    def read_history(self) -> list[dict[str, float]]:
        """Read history.csv; a line cut off by a crash is left out."""
        if not self.history.exists():
            return []
        with self.history.open(newline="", encoding="utf-8") as file:
            lines = list(csv.reader(file))
        header = lines[0] if lines else []
        return [dict(zip(header, map(float, line), strict=True)) for line in lines[1:] if is_whole(line, header)]

    def rewind_history(self, epoch: int) -> None:
        """Forget the looks after an epoch."""
        kept = [row for row in self.read_history() if row["epoch"] <= epoch]
        self.history.unlink(missing_ok=True)
        for row in kept:
            self.append_history({key: int(value) if key in ("epoch", "step") else value for key, value in row.items()})


def is_whole(line: list[str], header: list[str]) -> bool:
    """Whether a line of numbers has all of them."""
    try:
        return len([float(cell) for cell in line]) == len(header)
    except ValueError:
        return False


def without_infinities(value: object) -> object:
    """Replace numbers that are not finite by None, in mappings too."""
    if isinstance(value, Mapping):
        return {key: without_infinities(each) for key, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that at any moment the old one or the new one is there, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise FitError(f"{path} cannot be written: {error.strerror}.") from None
