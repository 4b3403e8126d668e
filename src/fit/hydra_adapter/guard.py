"""What stands between a composed run and its first byte written: checks, resuming, a folder of its own."""

from itertools import count
from pathlib import Path

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from fit.errors import FitError, errors_exit
from fit.settings.identity import typed
from fit.settings.names import check_names
from fit.settings.resume import resumed
from fit.settings.rules import check
from fit.settings.trust import check_trust

TABLE = "fit.data.table.table.Table"


class Guard(Callback):
    """Hydra calls it before a run makes its folder (Hydra's own order: folder first, application after)."""

    def on_run_start(self, config: DictConfig, **kwargs: object) -> None:
        """Refuse what cannot be, and settle the run folder."""
        with errors_exit():
            if config.resume is None:
                check(config)
            if config.resume is None and not config.hydra.job.chdir and config.data._target_ == TABLE:
                from fit.data.table.columns import check_first_rows

                check_first_rows(config.data)
            self.prepare_folder(config)

    def prepare_folder(self, config: DictConfig) -> None:
        """Check the settings and make the folder."""
        if config.resume is None:
            check(config)
        check_names(config)  # of what is typed: an older run may hold settings that there are no more
        if config.sweep.resume is not None:
            raise FitError("sweep.resume resumes a sweep: add -m; resume=RUN_FOLDER resumes a single run.")
        with read_write(config), open_dict(config):
            if config.resume is None:
                config.hydra.run.dir = str(new_folder(config))
                return
            for line in typed(config, "hydra"):
                if line.startswith("hydra.run.dir=") and line != f"hydra.run.dir={config.resume}":
                    raise FitError(f"{line} does not go with resume={config.resume}, whose folder it is: leave it out.")
            stored = resumed(config, typed(config))
            check_trust(stored, Path(str(config.resume)), "type +{} as well", typed(config))
            for key, value in stored.items_ex(resolve=False):
                config[key] = value
            config.hydra.run.dir = str(stored.resume)
            config.hydra.output_subdir = None
        check(config)


def new_folder(config: DictConfig) -> Path:
    """Make the run folder, numbered if there is one of that name already."""
    asked = Path(OmegaConf.select(config, "hydra.run.dir"))
    named_by_user = any(override.startswith("hydra.run.dir=") for override in typed(config, "hydra"))
    try:
        if named_by_user and (asked / ".hydra").exists():
            raise FitError(
                f"hydra.run.dir={asked} already holds a run: give another folder, or resume it with resume={asked}."
            )
        asked.parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            folder = asked if number == 1 else asked.with_name(f"{asked.name}-{number}")
            try:
                folder.mkdir(exist_ok=named_by_user)
                return folder
            except FileExistsError:
                if named_by_user or not folder.is_dir():
                    raise
    except OSError as error:
        raise FitError(f"hydra.run.dir={asked} cannot be written: {error.strerror}.") from None
    raise AssertionError
