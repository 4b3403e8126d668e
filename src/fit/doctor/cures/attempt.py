"""Trying cures: train the run again with the prescribed overrides and see whether that helps."""

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
from fit.doctor.text import quote_overrides
from fit.folder import RunFolder, write_atomically
from fit.hydra_adapter.command import CONF
from fit.job import Job
from fit.messages import align_columns
from fit.report.style import Picture, to_png
from fit.settings.identity import identity, plain, shared
from fit.settings.modern import modern

# Trainings with other seeds, beside the run itself, by which a cure is judged: they share its stack.
REPLICATES = 4
PIXELS_PER_LETTER, PIXELS_PER_LINE = 9, 18


class Attempt(NamedTuple):
    """A cure that was tried: its overrides and folder, the run before and after, and the verdict."""

    overrides: Sequence[str]
    folder: RunFolder
    before: Case
    after: Case
    verdict: Verdict


class CurePlan(NamedTuple):
    """The jobs that judge a cure: the cured run, and replicates of both runs with other seeds and held-out rows."""

    overrides: Sequence[str]
    job: Job
    before: Sequence[Job]
    after: Sequence[Job]


def list_cures(diagnosis: Diagnosis, after: Sequence[str] = ()) -> list[list[str]]:
    """Return the distinct cures of a diagnosis, each combined with the overrides `after` which it was prescribed."""
    cures = dict.fromkeys(tuple(finding.cure) for finding in diagnosis.findings if finding.cure)
    return [
        [*(each for each in after if not is_replaced(each.partition("=")[0], override_keys(cure))), *cure]
        for cure in cures
    ]


def with_overrides(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Return a run's settings with further overrides, as if they had been typed after its own."""
    changed = cfg.copy()
    with open_dict(changed):
        for override in overrides:
            key, _, text = override.partition("=")
            option = CONF / key / f"{text}.yaml"
            value = OmegaConf.load(option) if option.is_file() else OmegaConf.create(f"value: {text}").value
            OmegaConf.update(changed, key, value, merge=False, force_add=True)
        changed.resume = None
    return changed


def plan_cure(folder: RunFolder, cfg: DictConfig, overrides: Sequence[str]) -> CurePlan:
    """Make the jobs that judge a cure, in folders below that of the run.

    Replicates differ in `seed` and `data.seed`, unless the cure sets these.
    """
    cures = folder.path / "cures"
    job = make_job(cures, folder, cfg, overrides)
    seeds = {"seed": cfg.seed} | ({"data.seed": cfg.data.seed} if "seed" in cfg.data else {})
    free = {key: int(seed) for key, seed in seeds.items() if key not in override_keys(overrides)}
    others = [[f"{key}={seed + number}" for key, seed in free.items()] for number in range(1, REPLICATES + 1)]
    before = [make_job(cures / "before", folder, cfg, each) for each in others if each]
    after = [make_job(job.folder.path / "replicates", job.folder, job.cfg, each) for each in others if each]
    return CurePlan(overrides, job, before, after)


def make_job(home: Path, folder: RunFolder, cfg: DictConfig, overrides: Sequence[str]) -> Job:
    """Make the job of a run with overrides, in a new numbered folder of `home`, or in the one that already has it."""
    wanted = with_overrides(cfg, overrides)
    for number in count(1):
        target = RunFolder(home / str(number))
        if not target.config.exists():
            break
        known = OmegaConf.load(target.config)
        assert isinstance(known, DictConfig)
        if identity(plain(modern(known))) == identity(plain(wanted)):
            break
    target.config.parent.mkdir(parents=True, exist_ok=True)
    with open_dict(wanted):
        text = OmegaConf.to_yaml(wanted.logger).replace("${hydra:runtime.output_dir}", str(target.path.absolute()))
        wanted.logger = OmegaConf.create(text)
    target.write_config(wanted)
    keys = override_keys(overrides)
    typed = [f"{key}={value}" for key, value in folder.read_overrides().items() if not is_replaced(key, keys)]
    lines = OmegaConf.to_yaml(OmegaConf.create([*typed, *overrides]))
    write_atomically(target.config.with_name("overrides.yaml"), lines.encode())
    return Job(wanted, target, target.log, metrics=target.read_metrics())


def override_keys(overrides: Sequence[str]) -> set[str]:
    """Return the keys that overrides set."""
    return {override.partition("=")[0] for override in overrides}


def is_replaced(key: str, keys: set[str]) -> bool:
    """Whether one of the keys sets this one or its whole group."""
    return key in keys or key.partition(".")[0] in keys


def group_cures(cfg: DictConfig, cures: Sequence[Sequence[str]], known: set[str]) -> list[list[Sequence[str]]]:
    """Group cures that one stack can train, in their order; none takes more epochs than the first of its group.

    Cures that lead to `known` settings are skipped; the others are added to `known`.
    """
    groups: list[tuple[str, int, list[Sequence[str]]]] = []
    for overrides in cures:
        wanted = with_overrides(cfg, overrides)
        settings, key, epochs = identity(plain(wanted)), shared(wanted), wanted.trainer.max_epochs
        if settings in known:
            continue
        known.add(settings)
        found = next((group for each, most, group in groups if each == key and epochs <= most), None)
        if found is None:
            groups.append((key, epochs, found := []))
        found.append(overrides)
    return [group for _, _, group in groups]


def format_comparison(attempts: Sequence[Attempt]) -> Iterator[str]:
    """Yield a table of the errors before and after each cure of a stack, and the verdicts."""
    before = attempts[0].before
    many = len(attempts) > 1
    for number, each in enumerate(attempts, start=1):
        overrides = " ".join(quote_overrides(each.overrides))
        yield f"{'tried' if number == 1 else '':<6} {f'{number}: ' if many else ''}{overrides}"
    heads = [f"after {number}" for number in range(1, len(attempts) + 1)] if many else ["after"]
    rows = [["", "before", *heads]]
    keys = [f"{region}/{error}" for region in ("train", *before.val_regions) for error in ("rmse", "r2")]
    cases = [before, *(each.after for each in attempts)]
    rows += [[key, *(format_cell(case.metrics.get(key)) for case in cases)] for key in [*keys, "epochs", "seconds/fit"]]
    rows.append(["largest error, in std. deviations", *(format_cell(case.worst_error) for case in cases)])
    yield from (f"       {line}" for line in align_columns(rows, numbers=True))
    for number, each in enumerate(attempts, start=1):
        yield f"       {f'{number}: ' if many else ''}{each.verdict}: {each.folder.path}"


def format_cell(value: object) -> str:
    """Format a number: infinity as `diverged`, what is no number as a dash."""
    with suppress(TypeError, ValueError):
        number = float(str(value))
        return "diverged" if number == float("inf") else f"{number:.6g}" if number == number else "-"
    return "-"


def stack_pictures(before: bytes, after: bytes, titles: tuple[str, str]) -> bytes:
    """Stack two PNG files vertically, each below its title, which is wrapped to their width."""
    pixels = [np.asarray(Image.open(BytesIO(each)).convert("RGB")) for each in (before, after)]
    width = max(each.shape[1] for each in pixels)
    titles_wrapped = [textwrap.wrap(title, width // PIXELS_PER_LETTER, break_on_hyphens=False) for title in titles]
    strips = [PIXELS_PER_LINE * (len(lines) + 1) for lines in titles_wrapped]
    height = sum(strips) + sum(each.shape[0] for each in pixels)
    figure = Picture(figsize=(width / 100, height / 100), dpi=100)
    top = height
    for each, lines, strip in zip(pixels, titles_wrapped, strips, strict=True):
        middle = (top - strip / 2) / height
        figure.text(0.01, middle, "\n".join(lines), va="center", fontsize=10, fontweight="bold")
        top -= each.shape[0] + strip
        figure.figimage(each, 0, top)
    return to_png(figure)


def format_errors(case: Case) -> str:
    """Return a run's errors in one line: RMSE and R² of each region."""
    if case.diverged:
        return "diverged"
    regions = ("train", *case.val_regions)
    errors = [[format_cell(case.metrics.get(f"{region}/{error}")) for error in ("rmse", "r2")] for region in regions]
    parts = [f"{region} RMSE {rmse}, R² {r2}" for region, (rmse, r2) in zip(regions, errors, strict=True)]
    return ", ".join(parts).replace("-", "−")


def draw_attempt(folder: RunFolder, attempt: Attempt) -> Path | None:
    """Write figures/cure.png, the fit before and after, and return its path; None if either fit was not drawn."""
    if not (folder.fit_figure.exists() and attempt.folder.fit_figure.exists()):
        return None
    ended = f"{attempt.verdict.word}: {format_errors(attempt.after)}"
    titles = f"before: {format_errors(attempt.before)}", f"after, {ended}; {' '.join(attempt.overrides)}"
    picture = stack_pictures(folder.fit_figure.read_bytes(), attempt.folder.fit_figure.read_bytes(), titles)
    path = folder.fit_figure.with_name("cure.png")
    write_atomically(path, picture)
    return path


def read_attempt(folder: RunFolder, cfg: DictConfig, plan: CurePlan) -> Attempt:
    """Read the trained jobs of a cure and judge it."""
    before = [case_of_folder(folder, cfg), *(case_of_folder(each.folder, each.cfg) for each in plan.before)]
    after = [case_of_folder(each.folder, each.cfg) for each in (plan.job, *plan.after)]
    return Attempt(plan.overrides, plan.job.folder, before[0], after[0], judge(before, after))
