"""Trying cures: the run again with what was prescribed, and whether that helped."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from itertools import count
from typing import NamedTuple

import numpy as np
from omegaconf import DictConfig, OmegaConf, open_dict
from PIL import Image

from fit.config.command import CONF
from fit.config.identity import identity, plain
from fit.doctor.admission import stored_case
from fit.doctor.case import Case
from fit.doctor.text import quoted
from fit.doctor.thresholds import CURED
from fit.folder import RunFolder, write_atomically
from fit.job import Job
from fit.report.figures import Picture, to_png

INCHES_FOR_TITLE = 0.35


class Attempt(NamedTuple):
    """A cure that was tried: the overrides, the folder, and the run before and after as cases."""

    overrides: Sequence[str]
    folder: RunFolder
    before: Case
    after: Case

    @property
    def worked(self) -> bool:
        """Whether the fit is good now, or its error is a tenth of what it was."""
        return self.after.good or (not self.after.diverged and self.after.worst <= CURED * worst(self.before))


def worst(case: Case) -> float:
    """Return the largest error of any target in any region, over its spread; infinite where the run diverged."""
    return float("inf") if case.diverged else case.worst


def variant(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Return a run's settings with overrides, as if they had been typed behind its own."""
    changed = cfg.copy()
    with open_dict(changed):
        for override in overrides:
            key, _, text = override.partition("=")
            option = CONF / key / f"{text}.yaml"
            value = OmegaConf.load(option) if option.is_file() else OmegaConf.create(f"value: {text}").value
            OmegaConf.update(changed, key, value, merge=False, force_add=True)
        changed.resume = None
    return changed


def prepare(folder: RunFolder, cfg: DictConfig, overrides: Sequence[str]) -> Job:
    """Make the job of a cure, in a folder of its own below that of the run, or in the one that has it already."""
    wanted = variant(cfg, overrides)
    for number in count(1):
        place = RunFolder(folder.path / "cures" / str(number))
        if not place.config.exists():
            break
        known = OmegaConf.load(place.config)
        assert isinstance(known, DictConfig)
        if identity(plain(known)) == identity(plain(wanted)):
            break
    place.config.parent.mkdir(parents=True, exist_ok=True)
    with open_dict(wanted):
        text = OmegaConf.to_yaml(wanted.logger).replace("${hydra:runtime.output_dir}", str(place.path.absolute()))
        wanted.logger = OmegaConf.create(text)
    place.write_config(wanted)
    keys = {override.partition("=")[0] for override in overrides}
    typed = [f"{key}={value}" for key, value in folder.read_overrides().items() if not replaced(key, keys)]
    lines = OmegaConf.to_yaml(OmegaConf.create([*typed, *overrides]))
    write_atomically(place.config.with_name("overrides.yaml"), lines.encode())
    return Job(wanted, place, place.log, place.read_metrics())


def replaced(key: str, keys: set[str]) -> bool:
    """Whether one of the other keys sets this one, or the group that it is of."""
    return key in keys or key.partition(".")[0] in keys


def compare(attempt: Attempt) -> Iterator[str]:
    """Write the errors before and after side by side, and whether the cure worked."""
    yield f"tried  {' '.join(quoted(attempt.overrides))}"
    yield f"       {'':<34}{'before':>12}{'after':>12}"
    keys = [f"{region}/{error}" for region in ("train", *attempt.before.regions) for error in ("rmse", "r2")]
    for key in [*keys, "epochs", "seconds/fit"]:
        cells = [cell(case.metrics.get(key)) for case in (attempt.before, attempt.after)]
        yield f"       {key:<34}{cells[0]:>12}{cells[1]:>12}"
    before, after = worst(attempt.before), worst(attempt.after)
    yield f"       {'largest error, over the spread':<34}{cell(before):>12}{cell(after):>12}"
    yield f"       {'cured' if attempt.worked else 'NOT cured'}: {attempt.folder.path}"


def cell(value: object) -> str:
    """Write a number; what is not finite is a dash."""
    with suppress(TypeError, ValueError):
        number = float(str(value))
        return "diverged" if number == float("inf") else f"{number:.6g}" if number == number else "-"
    return "-"


def side_by_side(before: bytes, after: bytes, titles: tuple[str, str]) -> bytes:
    """Put two pictures, PNG files, above each other, each with its title."""
    pixels = [np.asarray(Image.open(BytesIO(each)).convert("RGB")) for each in (before, after)]
    strip = int(100 * INCHES_FOR_TITLE)
    width, height = max(each.shape[1] for each in pixels), sum(each.shape[0] + strip for each in pixels)
    figure = Picture(figsize=(width / 100, height / 100), dpi=100)
    top = height
    for each, title in zip(pixels, titles, strict=True):
        figure.text(0.01, (top - strip / 2) / height, title, va="center", fontsize=10, fontweight="bold")
        top -= each.shape[0] + strip
        figure.figimage(each, 0, top)
    return to_png(figure)


def conclude(folder: RunFolder, attempt: Attempt) -> None:
    """Draw before and after into the run's folder."""
    if folder.fit_figure.exists() and attempt.folder.fit_figure.exists():
        titles = ("before", f"after {' '.join(attempt.overrides)}")
        picture = side_by_side(folder.fit_figure.read_bytes(), attempt.folder.fit_figure.read_bytes(), titles)
        write_atomically(folder.fit_figure.with_name("cure.png"), picture)


def attempt(folder: RunFolder, cfg: DictConfig, job: Job, overrides: Sequence[str]) -> Attempt:
    """Read how a cure that has been trained did."""
    return Attempt(overrides, job.folder, stored_case(folder, cfg), stored_case(job.folder, job.cfg))
