"""Trying cures: the run again with what was prescribed, and whether that helped."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np
from omegaconf import DictConfig, OmegaConf, open_dict
from PIL import Image

from fit.doctor.case import Case
from fit.doctor.cases import case_of_folder
from fit.doctor.cures.verdict import Verdict, judge
from fit.doctor.finding import Diagnosis
from fit.doctor.text import quoted
from fit.folder import RunFolder, write_atomically
from fit.hydra_adapter.command import CONF
from fit.job import Job
from fit.report.style import Picture, to_png
from fit.settings.identity import identity, plain, shared
from fit.settings.modern import modern

# Trainings with other seeds that a cure is judged by, beside the run itself: they share its stack.
REPLICATES = 4
PIXELS_PER_LETTER, PIXELS_PER_LINE = 9, 18


class Attempt(NamedTuple):
    """A cure that was tried: the overrides, the folder, the run before and after as cases, and whether it worked."""

    overrides: Sequence[str]
    folder: RunFolder
    before: Case
    after: Case
    verdict: Verdict


class Trial(NamedTuple):
    """What has to be trained to judge a cure: the run with it, and both with other seeds and other rows held out."""

    overrides: Sequence[str]
    job: Job
    before: Sequence[Job]
    after: Sequence[Job]


def prescriptions(diagnosis: Diagnosis, after: Sequence[str] = ()) -> list[list[str]]:
    """Return the cures of a diagnosis, each once; of a run that others were tried on, `after` these."""
    cures = dict.fromkeys(tuple(finding.cure) for finding in diagnosis.findings if finding.cure)
    return [[*(each for each in after if not replaced(each.partition("=")[0], keys_of(cure))), *cure] for cure in cures]


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


def plan(folder: RunFolder, cfg: DictConfig, overrides: Sequence[str]) -> Trial:
    """Make the jobs that judge a cure, in folders of their own below that of the run.

    They differ in the seed, and in what the data's seed draws, as far as the cure does not set these.
    """
    cures = folder.path / "cures"
    job = prepare(cures, folder, cfg, overrides)
    seeds = {"seed": cfg.seed} | ({"data.seed": cfg.data.seed} if "seed" in cfg.data else {})
    free = {key: int(seed) for key, seed in seeds.items() if key not in keys_of(overrides)}
    others = [[f"{key}={seed + number}" for key, seed in free.items()] for number in range(1, REPLICATES + 1)]
    before = [prepare(cures / "before", folder, cfg, each) for each in others if each]
    after = [prepare(job.folder.path / "replicates", job.folder, job.cfg, each) for each in others if each]
    return Trial(overrides, job, before, after)


def prepare(home: Path, folder: RunFolder, cfg: DictConfig, overrides: Sequence[str]) -> Job:
    """Make the job of a run with some overrides, in a folder of its own, or in the one that has it already."""
    wanted = variant(cfg, overrides)
    for number in count(1):
        place = RunFolder(home / str(number))
        if not place.config.exists():
            break
        known = OmegaConf.load(place.config)
        assert isinstance(known, DictConfig)
        if identity(plain(modern(known))) == identity(plain(wanted)):
            break
    place.config.parent.mkdir(parents=True, exist_ok=True)
    with open_dict(wanted):
        text = OmegaConf.to_yaml(wanted.logger).replace("${hydra:runtime.output_dir}", str(place.path.absolute()))
        wanted.logger = OmegaConf.create(text)
    place.write_config(wanted)
    keys = keys_of(overrides)
    typed = [f"{key}={value}" for key, value in folder.read_overrides().items() if not replaced(key, keys)]
    lines = OmegaConf.to_yaml(OmegaConf.create([*typed, *overrides]))
    write_atomically(place.config.with_name("overrides.yaml"), lines.encode())
    return Job(wanted, place, place.log, metrics=place.read_metrics())


def keys_of(overrides: Sequence[str]) -> set[str]:
    """Return what overrides set."""
    return {override.partition("=")[0] for override in overrides}


def replaced(key: str, keys: set[str]) -> bool:
    """Whether one of the other keys sets this one, or the group that it is of."""
    return key in keys or key.partition(".")[0] in keys


def stacks(cfg: DictConfig, cures: Sequence[Sequence[str]], known: set[str]) -> list[list[Sequence[str]]]:
    """Put cures together, in their order, that one stack can train and that take no longer than its first.

    What comes to settings that are `known` is left out, and what is not becomes known.
    """
    groups: list[tuple[str, int, list[Sequence[str]]]] = []
    for overrides in cures:
        wanted = variant(cfg, overrides)
        settings, key, epochs = identity(plain(wanted)), shared(wanted), wanted.trainer.max_epochs
        if settings in known:
            continue
        known.add(settings)
        home = next((group for each, most, group in groups if each == key and epochs <= most), None)
        if home is None:
            groups.append((key, epochs, home := []))
        home.append(overrides)
    return [group for _, _, group in groups]


def compare(attempts: Sequence[Attempt]) -> Iterator[str]:
    """Write the errors before, and after each cure of a stack, side by side, and which of them worked."""
    before = attempts[0].before
    many = len(attempts) > 1
    for number, each in enumerate(attempts, start=1):
        yield f"{'tried' if number == 1 else '':<6} {f'{number}: ' if many else ''}{' '.join(quoted(each.overrides))}"
    heads = [f"after {number}" for number in range(1, len(attempts) + 1)] if many else ["after"]
    yield row("", ["before", *heads])
    keys = [f"{region}/{error}" for region in ("train", *before.regions) for error in ("rmse", "r2")]
    cases = [before, *(each.after for each in attempts)]
    for key in [*keys, "epochs", "seconds/fit"]:
        yield row(key, [cell(case.metrics.get(key)) for case in cases])
    yield row("largest error, in std. deviations", [cell(case.worst) for case in cases])
    for number, each in enumerate(attempts, start=1):
        yield f"       {f'{number}: ' if many else ''}{each.verdict}: {each.folder.path}"


def row(name: str, cells: Sequence[str]) -> str:
    """Write a line of the table."""
    return f"       {name:<34}{''.join(f'{each:>14}' for each in cells)}"


def cell(value: object) -> str:
    """Write a number; what is not finite is a dash."""
    with suppress(TypeError, ValueError):
        number = float(str(value))
        return "diverged" if number == float("inf") else f"{number:.6g}" if number == number else "-"
    return "-"


def side_by_side(before: bytes, after: bytes, titles: tuple[str, str]) -> bytes:
    """Put two pictures, PNG files, above each other, each with its title, whose lines are as long as they are wide."""
    pixels = [np.asarray(Image.open(BytesIO(each)).convert("RGB")) for each in (before, after)]
    width = max(each.shape[1] for each in pixels)
    heads = [textwrap.wrap(title, width // PIXELS_PER_LETTER, break_on_hyphens=False) for title in titles]
    strips = [PIXELS_PER_LINE * (len(head) + 1) for head in heads]
    height = sum(strips) + sum(each.shape[0] for each in pixels)
    figure = Picture(figsize=(width / 100, height / 100), dpi=100)
    top = height
    for each, head, strip in zip(pixels, heads, strips, strict=True):
        place = (top - strip / 2) / height
        figure.text(0.01, place, "\n".join(head), va="center", fontsize=10, fontweight="bold")
        top -= each.shape[0] + strip
        figure.figimage(each, 0, top)
    return to_png(figure)


def errors_of(case: Case) -> str:
    """Write the errors of a run in a line: RMSE and R² of each region."""
    if case.diverged:
        return "diverged"
    regions = ("train", *case.regions)
    errors = [[cell(case.metrics.get(f"{region}/{error}")) for error in ("rmse", "r2")] for region in regions]
    message = [f"{region} RMSE {rmse}, R² {r2}" for region, (rmse, r2) in zip(regions, errors, strict=True)]
    return ", ".join(message).replace("-", "−")


def draw(folder: RunFolder, attempt: Attempt) -> Path | None:
    """Draw before and after into the run's folder, if both were drawn, and return where."""
    if not (folder.fit_figure.exists() and attempt.folder.fit_figure.exists()):
        return None
    ended = f"{attempt.verdict.word}: {errors_of(attempt.after)}"
    titles = f"before: {errors_of(attempt.before)}", f"after, {ended}; {' '.join(attempt.overrides)}"
    picture = side_by_side(folder.fit_figure.read_bytes(), attempt.folder.fit_figure.read_bytes(), titles)
    place = folder.fit_figure.with_name("cure.png")
    write_atomically(place, picture)
    return place


def attempt(folder: RunFolder, cfg: DictConfig, trial: Trial) -> Attempt:
    """Read how a cure that has been trained did."""
    before = [case_of_folder(folder, cfg), *(case_of_folder(each.folder, each.cfg) for each in trial.before)]
    after = [case_of_folder(each.folder, each.cfg) for each in (trial.job, *trial.after)]
    return Attempt(trial.overrides, trial.job.folder, before[0], after[0], judge(before, after))
