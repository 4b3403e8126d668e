"""The report of a sweep: a table in the terminal, sweep.csv, best.yaml and pictures."""

import math
import multiprocessing
import signal
import sys
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from statistics import median

from fit.errors import FitError, as_sentence, refuse
from fit.folder import write_atomically
from fit.messages import align_columns, plural
from fit.report.style import to_png
from fit.settings.machine import CORES
from fit.sweep.results.best import best_config
from fit.sweep.results.figures import Point, draw_sweep
from fit.sweep.results.jobs import StoredJob
from fit.sweep.results.table import STATUSES, Setting, SweepTable

MOST_SETTINGS = 10
MOST_FAILURES = 3
WIDEST_VALUE = 28


def report_sweep(folder: Path, metric: str, figures: str, left_out: Collection[Path] = ()) -> SweepTable:
    """Write the report of a sweep into its folder, print it, and return its table; `figures` is best, all or none.

    Jobs in the folders `left_out` are not drawn, as drawing would run untrusted code that they name.
    """
    table = SweepTable(folder, metric)
    write_atomically(folder / "sweep.csv", table.csv().encode())
    places = {"table": folder / "sweep.csv"}
    if table.best is not None:
        write_atomically(folder / "best.yaml", best_config(table).encode())
        places["best"] = folder / "best.yaml"
    picture = draw_sweep([Point(each.values, each.errors) for each in table.settings], table.metric)
    if picture is not None:
        write_atomically(folder / "sweep.png", to_png(picture))
        places["picture"] = folder / "sweep.png"
    print("\n".join(format_table(table)))
    print("\n".join(f"{label:<9}{place}" for label, place in places.items()))
    if any(folder.glob("*/events.*")):
        print(f"{'watch':<9}tensorboard --logdir {folder}", flush=True)
    draw_jobs(table, figures, left_out)
    return table


def draw_jobs(table: SweepTable, figures: str, left_out: Collection[Path]) -> None:
    """Draw the fits of the ten best and the diverged jobs, of all, or of none; `left_out` ones are never drawn."""
    ended = sorted((job for job in table.jobs if job.metrics), key=lambda job: table.cost(table.error(job)))
    diverged = [job for job in ended if job.status == "diverged"]
    finished = [job for job in ended if job.status == "finished"]
    chosen = {"best": [*finished[:MOST_SETTINGS], *diverged], "all": ended, "none": []}[figures]
    missing = [job for job in chosen if not job.folder.fit_figure.exists() and job.folder.path not in left_out]
    processes = min(CORES, len(missing))
    try:
        if processes < 2 or sys.platform != "linux":
            for job in missing:
                draw_job(job)
            return
        # Drawing takes as long as training many members, and the interpreter's lock lets one thread draw at a time.
        with ProcessPoolExecutor(processes, multiprocessing.get_context("fork"), ignore_interrupts) as pool:
            list(pool.map(draw_job, missing))
    except KeyboardInterrupt:
        print(f"Stopped. To draw the rest: python -m fit.report {table.folder}")
        raise SystemExit(130) from None


def ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def draw_job(job: StoredJob) -> None:
    """Draw the fit of a job; print why if that fails."""
    from fit.report.run import write_run_figures

    try:
        write_run_figures(job.folder, job.cfg, job.metrics)
    except (FitError, OSError) as error:
        refuse(FitError(f"The figures of {job.folder.path} are missing: {as_sentence(error)}"))


def format_table(table: SweepTable) -> Iterator[str]:
    """Yield the lines of the table in the terminal: the ten best settings, how many jobs ended how, and failures."""
    keys = table.grouped
    several = any(len(setting.jobs) > 1 for setting in table.settings)
    header = [
        "",
        *(keys or ["setting"]),
        table.metric,
        *(["range"] if several else []),
        *([error_in_units(table)] if error_in_units(table) != table.metric else []),
        "R²",
        *(["diverged"] if several else []),
        "diagnosis",
        "folder",
    ]
    rows = [format_setting(table, place, keys, several) for place, _ in enumerate(table.settings[:MOST_SETTINGS])]
    yield from align_columns([header, *rows])
    if len(table.settings) > MOST_SETTINGS:
        yield f"… {len(table.settings) - MOST_SETTINGS} more in sweep.csv"
    yield ""
    counts = [f"{table.count(status)} {status}" for status in STATUSES if table.count(status)]
    what = plural(len(table.jobs), "job") + (f" of {plural(len(table.settings), 'setting')}" if several else "")
    yield f"{what}: {', '.join(counts)}; ranked by {'the median ' if several else ''}{table.metric}"
    for job in [job for job in table.jobs if job.status == "failed"][:MOST_FAILURES]:
        yield f"  failed: {job.folder.path}: {job.error}"
    yield ""


def format_setting(table: SweepTable, place: int, keys: list[str], several: bool) -> list[str]:
    """Format one setting as a row of the table."""
    setting = table.settings[place]
    errors = finished_metrics(setting, table.metric)
    ranked = math.isfinite(table.median(setting))
    diverged = sum(job.status == "diverged" for job in setting.jobs)
    failed = sum(job.status in ("failed", "unfinished") for job in setting.jobs)
    middle = f"{table.median(setting):.6g}" if ranked else ("diverged" if diverged else "failed")
    spread = f"{min(errors):.3g} … {max(errors):.3g}" if len(errors) > 1 else ""
    share = f"{diverged} of {len(setting.jobs)}" + (f", {failed} failed" if failed else "")
    best = min(setting.jobs, key=lambda job: (table.cost(table.error(job)), table.jobs.index(job)))
    values = [shorten(best.overrides.get(key) or str(setting.values[key])) for key in keys] or ["as typed"]
    return [
        str(place + 1),
        *values,
        middle,
        *([spread] if several else []),
        *([middle_of(setting, error_in_units(table), ".4g")] if error_in_units(table) != table.metric else []),
        middle_of(setting, "val/r2", ".6f"),
        *([share] if several else []),
        most_common_diagnosis(setting),
        str(best.folder.path.relative_to(table.folder)),
    ]


def error_in_units(table: SweepTable) -> str:
    """Return the metric in own units that is shown beside a loss; any other metric is its own."""
    return table.metric.replace("/loss", "/rmse")


def most_common_diagnosis(setting: Setting) -> str:
    """Return the most common diagnosis of a setting's jobs."""
    counts = Counter(job.diagnosis for job in setting.jobs if job.diagnosis)
    return counts.most_common(1)[0][0] if counts else "-"


def finished_metrics(setting: Setting, name: str) -> list[float]:
    """Return the finite values of a metric of a setting's finished jobs."""
    values = (job.metrics.get(name) for job in setting.jobs if job.status == "finished")
    return [float(value) for value in values if isinstance(value, int | float) and math.isfinite(value)]


def middle_of(setting: Setting, name: str, digits: str) -> str:
    """Write the median of a metric, a job without one being the worst; a dash where that is most of them."""
    lost, worst = len(setting.jobs), -math.inf if name.endswith("/r2") else math.inf
    known = finished_metrics(setting, name)
    middle = median([*known, *[worst] * (lost - len(known))])
    return f"{middle:{digits}}" if math.isfinite(middle) else "-"


def shorten(value: str) -> str:
    """Shorten a number to five digits, of which a search draws more, and cut the middle of a long value."""
    with suppress(ValueError):
        number, short = float(value), f"{float(value):.5g}"
        if not number.is_integer() or float(short) == number:  # a seed is not rounded
            value = min(value, short, key=len)
    half = WIDEST_VALUE // 2 - 1
    return value if len(value) <= WIDEST_VALUE else f"{value[:half]}…{value[-half:]}"
