"""`python -m fit.report FOLDER`: redraw the figures of a run, or rewrite the table and pictures of a sweep."""

import argparse
import sys
from pathlib import Path

from fit.errors import FitError, refuse, run_command
from fit.folder import RunFolder
from fit.messages import plural, shorten_list
from fit.settings.rules import ERRORS, RULES
from fit.settings.trust import UntrustedError, check_trust

# The most folders to name that were not drawn.
MOST_NAMED = 5


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m fit.report", description=__doc__)
    parser.add_argument("folder", type=Path, help="a run folder (figures/) or a sweep folder (sweep.csv, best.yaml, …)")
    parser.add_argument(
        "--figures", choices=["best", "all", "none"], default="best", help="whose fits are drawn in a sweep"
    )
    parser.add_argument("--metric", help=f"what a sweep is ranked by: REGION/ERROR with {', '.join(ERRORS)}")
    parser.add_argument("--trust", action="store_true", help="run code that the folder names, such as a data.function")
    typed = parser.parse_args(arguments)
    return run_command(lambda: report(typed.folder, typed.figures, typed.metric, typed.trust))


def report(folder: Path, figures: str, metric: str | None, trust: bool) -> None:
    """Draw a run folder or report a sweep folder; raise FitError if it is neither."""
    from fit.report.run import write_run_figures
    from fit.sweep.results.jobs import StoredJob, read_sweep
    from fit.sweep.results.report import report_sweep

    if metric is not None and not RULES["optimized_metric"].test(metric):
        raise FitError(f"--metric {metric} is not allowed: give {RULES['optimized_metric'].allowed}.")
    if not folder.is_dir():
        raise FitError(f"{folder} does not exist: give a run folder or a sweep folder, under outputs.")
    if (folder / ".hydra" / "config.yaml").is_file():
        job = StoredJob(RunFolder(folder))
        if not trust:
            check_trust(job.cfg, folder, "give --trust")
        write_run_figures(job.folder, job.cfg, job.metrics)
        print("\n".join(map(str, sorted(job.folder.fit_figure.parent.glob("*.png")))))
        return
    refusals = {} if trust else untrusted_jobs(folder)
    report_sweep(folder, metric or str(read_sweep(folder).optimized_metric), figures, refusals)
    if refusals and figures != "none":
        which = f" ({shorten_list([*refusals], MOST_NAMED)})" if len(refusals) > 1 else ""
        refuse(FitError(f"{plural(len(refusals), 'fit')} not drawn{which}: {next(iter(refusals.values()))}"))


def untrusted_jobs(folder: Path) -> dict[Path, str]:
    """Return the folders of a sweep's jobs that name untrusted code, each with the error message."""
    from fit.sweep.results.jobs import stored_jobs

    refusals = {}
    for job in stored_jobs(folder):
        try:
            check_trust(job.cfg, job.folder.path, "give --trust")
        except UntrustedError as error:
            refusals[job.folder.path] = str(error)
    return refusals


if __name__ == "__main__":
    sys.exit(main())
