"""What happens before a run writes anything: checks, resuming, and the choice of its folder."""

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
    """The callback that Hydra calls before it makes the folder of a run, and so before the application starts."""

    def on_run_start(self, config: DictConfig, **kwargs: object) -> None:
        """Check the settings and prepare the run folder."""
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
    """Make the run folder, numbered if there already is one of that name."""
    wanted = Path(OmegaConf.select(config, "hydra.run.dir"))
    named_by_user = any(override.startswith("hydra.run.dir=") for override in typed(config, "hydra"))
    try:
        if named_by_user and (wanted / ".hydra").exists():
            raise FitError(
                f"hydra.run.dir={wanted} already holds a run: give another folder, or resume it with resume={wanted}."
            )
        wanted.parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
            try:
                folder.mkdir(exist_ok=named_by_user)
                return folder
            except FileExistsError:
                if named_by_user or not folder.is_dir():
                    raise
    except OSError as error:
        raise FitError(f"hydra.run.dir={wanted} cannot be written: {error.strerror}.") from None
    raise AssertionError
