"""The jobs of a sweep folder."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from fit.errors import FitError
from fit.folder import ABSENT, RunFolder, read_yaml
from fit.settings.identity import NOT_TRAINED, identity, plain
from fit.settings.modern import modern
from fit.settings.tree import Settings, flat


class UnreadableError(FitError):
    """A job whose configuration cannot be read."""


class StoredJob:
    """A job as its folder describes it; everything is read on first use."""

    def __init__(self, folder: RunFolder) -> None:
        """Take the folder of the job."""
        self.folder = folder
        self.number = int(folder.path.name) if folder.path.name.isdecimal() else None

    @cached_property
    def cfg(self) -> DictConfig:
        """The configuration with which it was started."""
        return OmegaConf.create(self.stored)

    @cached_property
    def stored(self) -> dict[str, object]:
        """The stored configuration, references unresolved."""
        settings = read_yaml(self.folder.config)
        if not isinstance(settings, dict) or not {"data", "model", "optimizer", "trainer", "seed"} <= set(settings):
            raise UnreadableError(
                f"{self.folder.config} is not the configuration of a run: move its folder out of the sweep."
            )
        return modern(settings)

    @cached_property
    def identity(self) -> str:
        """A text that is equal for jobs with equal settings."""
        return identity(self.settings)

    @cached_property
    def settings(self) -> Settings:
        """Its settings by dotted name, as plain values."""
        tree = {key: value for key, value in self.stored.items() if key not in NOT_TRAINED}
        # Without references the file is enough, in a tenth of the time.
        return plain(self.cfg) if "${" in str(tree) else flat(tree)

    @cached_property
    def overrides(self) -> dict[str, str]:
        """Its overrides as typed, by key."""
        return self.folder.read_overrides()

    @cached_property
    def hydra(self) -> DictConfig:
        """Hydra's own settings of it, such as the chosen options."""
        settings = read_yaml(self.folder.config.with_name("hydra.yaml"))
        assert isinstance(settings, dict)
        return OmegaConf.create(dict(settings["hydra"]))

    @cached_property
    def metrics(self) -> dict[str, object]:
        """The contents of metrics.json; empty if the job has not finished."""
        return self.folder.read_metrics()

    @cached_property
    def error(self) -> str:
        """The message of the error that ended it; empty if it did not fail."""
        try:
            lines = (self.folder.path / "train.log").read_text(encoding="utf-8", errors="replace").splitlines()
        except ABSENT:
            return ""
        errors = [line.partition("][ERROR] ")[2] for line in lines if "][ERROR] " in line]
        return errors[-1] if errors else ""

    @cached_property
    def diagnosis(self) -> str:
        """The first finding of its diagnosis, in words; "good" for a healthy run, empty without a diagnosis."""
        diagnosis = self.folder.read_diagnosis()
        findings = diagnosis.get("findings")
        if isinstance(findings, list) and findings and isinstance(findings[0], dict):
            return str(findings[0].get("id", "")).replace("_", " ")
        return {True: "good", False: "unknown"}.get(bool(diagnosis["healthy"]), "") if diagnosis else ""

    @property
    def status(self) -> str:
        """How it ended: finished, diverged, failed or unfinished."""
        if self.metrics:
            return "diverged" if self.metrics.get("diverged") else "finished"
        return "failed" if self.error else "unfinished"


def stored_jobs(sweep: Path) -> list[StoredJob]:
    """Return the jobs of a sweep folder, sorted by number; other folders are ignored."""
    return sorted(find_jobs(sweep), key=lambda job: (job.number is None, job.number or 0, str(job.folder.path)))


def find_jobs(folder: Path) -> Iterator[StoredJob]:
    """Yield the jobs anywhere below a folder."""
    for path in folder.iterdir():
        if (path / ".hydra" / "config.yaml").is_file():
            yield StoredJob(RunFolder(path))
        elif path.is_dir() and not (path / "multirun.yaml").exists():
            yield from find_jobs(path)


def read_sweep(folder: Path) -> DictConfig:
    """Read the settings with which a sweep was started; raise FitError if the folder is not a sweep folder."""
    path = folder / "multirun.yaml"
    settings = read_yaml(path) if path.is_file() else None
    if not isinstance(settings, dict) or not {"hydra", "data", "model", "optimized_metric"} <= set(settings):
        raise FitError(f"{folder} is not a sweep folder: give one that holds multirun.yaml, under outputs/sweeps.")
    return OmegaConf.create(settings)
