"""The run folder, which holds everything of one run; its files are written so that none is ever incomplete."""

import csv
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf

from fit.errors import FitError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


# Errors that mean that a file does not exist; any other is an error of reading it.
ABSENT = (FileNotFoundError, NotADirectoryError)
# Loads plain values only; the version in C, if available, is ten times as fast.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RunFolder:
    """The files of one run."""

    def __init__(self, path: str | Path) -> None:
        """Name the files of an existing folder."""
        self.path = Path(path)
        self.config = self.path / ".hydra" / "config.yaml"
        self.metrics = self.path / "metrics.json"
        self.diagnosis = self.path / "diagnosis.json"
        self.history = self.path / "history.csv"
        self.passes = self.path / "passes.csv"
        self.last = self.path / "checkpoints" / "last.ckpt"
        self.best = self.path / "checkpoints" / "best.ckpt"
        self.fit_figure = self.path / "figures" / "fit.png"
        self.loss_figure = self.path / "figures" / "loss.png"

    def replica(self, number: int) -> "RunFolder":
        """Return the folder of one network of a cross-validation or an ensemble."""
        return RunFolder(self.path / "members" / str(number))

    @property
    def replicas(self) -> list["RunFolder"]:
        """The folders of its networks, in order; none for a single run."""
        count = len(list((self.path / "members").glob("*/.hydra/config.yaml")))
        return [self.replica(number) for number in range(count)]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder against other processes; raise FitError if one uses it."""
        if fcntl is None:
            yield
            return
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise FitError(f"{self.path} is in use by another process: wait for it, or give another folder.") from None
        finally:
            os.close(descriptor)

    def discard_if_untrained(self, *written: Path) -> None:
        """Remove the files of a run that never started, and `written`, and the folder if it is then empty."""
        if self.last.exists() or self.history.exists():
            return
        for replica in self.replicas:
            replica.discard_if_untrained()
        with suppress(OSError):
            (self.path / "members").rmdir()
        shutil.rmtree(self.config.parent, ignore_errors=True)
        logs = (self.path / "train.log", self.path / "hparams.yaml", *self.path.glob("events.out.tfevents.*"))
        for path in (*logs, *written):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            self.path.rmdir()

    def read_overrides(self) -> dict[str, str]:
        """Read the overrides of the run by key, without those of the sweep such as sweep.resume."""
        typed = self.config.with_name("overrides.yaml")
        lines = read_yaml(typed) if typed.exists() else []
        pairs = (str(line).partition("=") for line in (lines if isinstance(lines, list) else []))
        return {key.lstrip("+"): value for key, _, value in pairs if not key.startswith("sweep.")}

    def write_config(self, cfg: DictConfig) -> None:
        """Write the configuration, in place of the one that Hydra wrote."""
        stored = cfg.copy()
        stored.resume = None
        write_atomically(self.config, OmegaConf.to_yaml(stored).encode())

    def write_metrics(self, metrics: Mapping[str, object]) -> None:
        """Write metrics.json; a number that is not finite is null, as JSON cannot represent it."""
        text = json.dumps(without_infinities(metrics), indent=2, ensure_ascii=False)
        write_atomically(self.metrics, text.encode())

    def write_diagnosis(self, diagnosis: Mapping[str, object]) -> None:
        """Write diagnosis.json."""
        text = json.dumps(without_infinities(diagnosis), indent=2, ensure_ascii=False)
        write_atomically(self.diagnosis, text.encode())

    def read_diagnosis(self) -> dict[str, object]:
        """Read diagnosis.json; empty if there is none."""
        try:
            diagnosis = json.loads(self.diagnosis.read_text(encoding="utf-8"))
        except (*ABSENT, ValueError):
            return {}
        return diagnosis if isinstance(diagnosis, dict) and {"healthy", "findings"} <= set(diagnosis) else {}

    def read_metrics(self) -> dict[str, object]:
        """Read metrics.json; empty if the run has not finished."""
        try:
            metrics = json.loads(self.metrics.read_text(encoding="utf-8"))
        except (*ABSENT, ValueError):
            return {}
        return metrics if isinstance(metrics, dict) and {"val/loss", "diverged"} <= set(metrics) else {}

    def log(self, text: str, level: str = "INFO") -> None:
        """Append to train.log as `logging` does; a single run of the command uses Hydra's logging instead."""
        with (self.path / "train.log").open("a", encoding="utf-8") as file:
            file.write(f"[{datetime.now():%Y-%m-%d %H:%M:%S,%f}"[:-3] + f"][{level}] {text}\n")

    def log_and_print(self, text: str) -> None:
        """Print, and append to train.log."""
        print(text)
        self.log(text)

    def append_history(self, row: Mapping[str, float]) -> None:
        """Append one evaluation to history.csv."""
        append_rows(self.history, [row])

    def append_passes(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Append the losses of passes before the first evaluation to passes.csv."""
        append_rows(self.passes, rows)

    def write_history(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Replace history.csv."""
        self.history.unlink(missing_ok=True)
        append_rows(self.history, rows)

    def read_history(self) -> list[dict[str, float]]:
        """Read history.csv, without a last line that a crash cut off; raise FitError for any other invalid line."""
        return read_rows(self.history)

    def read_passes(self) -> list[dict[str, float]]:
        """Read passes.csv; empty if every pass was evaluated."""
        return read_rows(self.passes)

    def mean_history(self) -> list[dict[str, float]]:
        """Return the evaluations; of several networks the mean, at each epoch, over those that were still training."""
        return mean_rows([each.read_history() for each in self.replicas or [self]])

    def mean_passes(self) -> list[dict[str, float]]:
        """Return the passes before the first evaluation; of several networks the mean."""
        return mean_rows([each.read_passes() for each in self.replicas or [self]])

    def rewind_history(self, epoch: int) -> None:
        """Remove the evaluations and passes after an epoch."""
        for path in (self.history, self.passes):
            if path.exists():
                rewind_rows(path, epoch)


def append_rows(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Append rows of numbers, at least one, to a CSV file."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        if new:
            writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path) -> list[dict[str, float]]:
    """Read rows of numbers from a CSV file, without a last line that was cut off; FitError names any other."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        lines = list(csv.reader(file))
    header = lines[0] if lines else []
    whole = [is_complete_row(line, header) for line in lines[1:]]
    if not all(whole[:-1]):
        line = whole.index(False) + 2
        raise FitError(f"{path}, line {line}, is not what fit wrote: restore the file, or delete it.")
    return [
        dict(zip(header, map(float, line), strict=True)) for line, good in zip(lines[1:], whole, strict=True) if good
    ]


def mean_rows(tables: Iterable[Sequence[Mapping[str, float]]]) -> list[dict[str, float]]:
    """Average rows with the same epoch over the tables that have it."""
    found: dict[float, list[Mapping[str, float]]] = {}
    for row in chain.from_iterable(tables):
        found.setdefault(row["epoch"], []).append(row)
    return [
        {key: sum(row.get(key, math.nan) for row in rows) / len(rows) for key in rows[0]}
        for _, rows in sorted(found.items())
    ]


def rewind_rows(path: Path, epoch: int) -> None:
    """Remove the rows after an epoch."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    header = lines[0].strip().split(",") if lines else []
    if header[:1] != ["epoch"]:  # fit did not write it
        path.unlink()
        return
    kept = [
        line
        for line in lines[1:]
        if is_complete_row(line.strip().split(","), header) and float(line.split(",")[0]) <= epoch
    ]
    write_atomically(path, "".join([*lines[:1], *kept]).encode())


def read_yaml(path: Path) -> object:
    """Read one of Hydra's files; raise FitError if it cannot be read."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except (*ABSENT, yaml.YAMLError, UnicodeDecodeError):
        raise FitError(f"{path} is not a configuration that fit wrote: restore it, or move its folder away.") from None


def is_complete_row(line: list[str], header: list[str]) -> bool:
    """Whether a line has a number in every column."""
    try:
        return len([float(cell) for cell in line]) == len(header)
    except ValueError:
        return False


def finite_or_infinity(value: object) -> float:
    """Return a number of metrics.json, which has null for what is not finite."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.inf


def without_infinities(value: object) -> object:
    """Replace numbers that are not finite by None, in mappings and lists too."""
    if isinstance(value, Mapping):
        return {key: without_infinities(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_infinities(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file so that, at any moment, it is complete: either the old or the new one."""
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
