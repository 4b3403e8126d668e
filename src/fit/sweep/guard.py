"""What happens before the first job of a sweep and after the last: checks, its folder, its report."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePath

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from fit.errors import FitError, errors_exit
from fit.messages import shown
from fit.settings.identity import hydra_overrides, typed
from fit.settings.rules import RULES
from fit.settings.schema import whole
from fit.settings.trust import check_trust, foreign, is_foreign


class SweepGuard(Callback):
    """The callback that Hydra calls around a sweep."""

    def on_multirun_start(self, config: DictConfig, **kwargs: object) -> None:
        """Check the settings of the sweep and prepare its folder."""
        with errors_exit():
            prepare_folder(config)

    def on_multirun_end(self, config: DictConfig, **kwargs: object) -> None:
        """Report the sweep; exit with code 1 if a job failed."""
        with errors_exit():
            from fit.sweep.results.report import report_sweep

            figures = config.sweep.figures if config.figures else "none"
            table = report_sweep(Path(config.hydra.sweep.dir), config.optimized_metric, figures)
        if table.count("failed") or table.count("unfinished"):
            raise SystemExit(1)


def prepare_folder(config: DictConfig) -> None:
    """Check a sweep's settings and choose its folder; a resumed sweep keeps its overrides unless they are retyped."""
    from fit.sweep.results.jobs import read_sweep

    overrides = config.hydra.overrides
    keys = [override.split("=")[0] for override in typed(config)]
    if "resume" in keys:
        raise FitError("resume is for a single run: give it without -m, or sweep.resume=SWEEP_FOLDER for a sweep.")
    for key in ("sweep.resume", "sweep.figures"):
        if not RULES[key].test(OmegaConf.select(config, key)):
            raise FitError(f"{key}={shown(OmegaConf.select(config, key))} is not allowed: give {RULES[key].allowed}.")
    if config.hydra.output_subdir != ".hydra":
        raise FitError("hydra.output_subdir must be .hydra in a sweep: its table is read from these files.")
    for line in typed(config, "hydra"):
        subdir = PurePath(line.partition("=")[2].strip("'\""))
        outside = subdir.is_absolute() or ".." in subdir.parts or subdir == PurePath()
        if override_key(line) == "hydra.sweep.subdir" and outside:
            raise FitError(f"{line} is not allowed: give a folder within that of the sweep.")
    if not str(config.hydra.sweep.dir):
        raise FitError("hydra.sweep.dir is empty: give the folder of the sweep.")
    if any(
        line.startswith("sweep.") and OverridesParser.create().parse_override(line).is_sweep_override()
        for line in typed(config)
    ):
        raise FitError("sweep.resume and sweep.figures apply to the sweep as a whole: give each a single value.")
    size = config.hydra.sweeper.get("max_batch_size")
    if not whole(1).or_null().test(size):
        raise FitError(f"hydra.sweeper.max_batch_size={shown(size)} is not allowed: give {whole(1).or_null().allowed}.")
    wanted = Path(config.hydra.sweep.dir)
    if config.sweep.resume is None:
        if (wanted / "multirun.yaml").exists():
            raise FitError(
                f"hydra.sweep.dir={wanted} already holds a sweep: give another folder, "
                f"or resume it with sweep.resume={wanted}."
            )
        return
    folder = Path(str(config.sweep.resume))
    stored = read_sweep(folder)
    grid, stacked = (
        str(node._target_).endswith(name)
        for node, name in ((config.hydra.sweeper, "GridSweeper"), (config.hydra.launcher, "StackedLauncher"))
    )
    if grid and (not stacked or config.hydra.job.chdir):
        raise FitError("sweep.resume works only with hydra/launcher=stacked and hydra.job.chdir=false.")
    if any(override.startswith("hydra.sweep.dir=") for override in typed(config, "hydra")) and wanted != folder:
        raise FitError(f"hydra.sweep.dir={wanted} is not sweep.resume={folder}: give one of them.")
    if stored.hydra.job.name != config.hydra.job.name:
        raise FitError(f"sweep.resume={folder} is a sweep of {stored.hydra.job.name}, not of {config.hydra.job.name}.")
    check_same_hydra(config, stored)
    check_code(config, stored, folder)
    with read_write(config), open_dict(config):
        # Earlier overrides hold unless they are typed again.
        lines = {override_key(line): line for line in [*typed(stored), *typed(config)]}
        lines["sweep.resume"] = f"sweep.resume={folder}"
        overrides.task = list(lines.values())
        config.hydra.sweep.dir = str(folder)
        overrides.hydra = [*typed(config, "hydra"), f"hydra.sweep.dir={folder}"]


def check_same_hydra(config: DictConfig, stored: DictConfig) -> None:
    """Raise FitError if the sweep was started with overrides of Hydra itself that were not typed again."""
    now = {override_key(line) for line in hydra_overrides(config)} | {"hydra.sweep.dir"}
    missing = [line for line in hydra_overrides(stored) if override_key(line) not in now]
    if stored.hydra.job.config_name != config.hydra.job.config_name:
        missing.insert(0, f"--config-name {stored.hydra.job.config_name}")
    places = [source.path for source in config.hydra.runtime.config_sources]
    for source in stored.hydra.runtime.config_sources:
        if source.path not in places:
            missing.insert(0, f"--config-dir {source.path}")
    if missing:
        raise FitError(f"{config.sweep.resume} was started with {' '.join(missing)}: type that as well.")


def check_code(config: DictConfig, stored: DictConfig, folder: Path) -> None:
    """Raise FitError if a resumed sweep, or one of its jobs, names untrusted code that was not typed again."""
    from fit.sweep.results.jobs import UnreadableError, stored_jobs

    for line in typed(stored):
        key, _, value = line.partition("=")
        if is_foreign(key.lstrip("+"), value) and line not in typed(config):
            raise FitError(f"{folder} names code to be run, {key}={value}: type that as well if you trust it.")
    # Drawing a job builds the objects of its own configuration, whatever the sweep's says.
    vouched = [*(f"{key}={value}" for key, value in foreign(config).items()), *typed_choices(typed(config))]
    for job in stored_jobs(folder):
        with suppress(UnreadableError):  # cut off by a kill: nothing is built from it
            check_trust(job.cfg, job.folder.path, "type {} as well", vouched)


def typed_choices(overrides: list[str]) -> Iterator[str]:
    """Yield the overrides with several values, one for each value."""
    for override in OverridesParser.create().parse_overrides(overrides):
        if override.is_choice_sweep():
            yield from (f"{override.key_or_group}={value}" for value in override.sweep_string_iterator())


def override_key(override: str) -> str:
    """Return the key of an override."""
    return override.split("=")[0].lstrip("+~")
