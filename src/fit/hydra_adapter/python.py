"""A run started from Python, composed and opened as Hydra does it for the command line."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from fit.errors import FitError
from fit.folder import RunFolder
from fit.hydra_adapter.command import CONF, check_choices, describe_error
from fit.hydra_adapter.guard import Guard
from fit.hydra_adapter.job_context import JobContext, hydra_config
from fit.hydra_adapter.private import VERSION, Callbacks
from fit.predict.frame import save_data


@contextmanager
def opened_run(overrides: Sequence[str], data: Any) -> Iterator[tuple[DictConfig, RunFolder]]:  # noqa: ANN401
    """Compose a run and make its folder, as Hydra does for the command line; raise FitError for invalid settings.

    A run that fails before any training leaves no folder behind.
    """
    check_choices(overrides)
    try:
        with initialize_config_dir(str(CONF), job_name="train", **VERSION):
            config = compose("train", list(overrides), return_hydra_config=True)
            loader = GlobalHydra.instance().config_loader()
        Guard().prepare_folder(config)
    except (HydraException, OmegaConfBaseException) as error:
        raise FitError(describe_error(error)) from None
    folder = RunFolder(config.hydra.run.dir)
    path = folder.path.absolute() / ("data.parquet" if hasattr(data, "columns") else "data.npz")
    try:
        if data is not None:
            save_data(data, path)
            with read_write(config), open_dict(config):
                config.data.path = str(path)
        with hydra_config(config):
            cfg, _ = JobContext(HydraContext(loader, Callbacks()), lambda cfg: None).open(config, folder.path)
            yield cfg, folder
    except BaseException:
        if config.resume is None:
            folder.discard_if_untrained(*([] if data is None else [path]))
        raise
