"""What Hydra does before and after each job, separately, so that many jobs can be trained together in between."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent

import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from fit.folder import write_atomically
from fit.hydra_adapter.private import get_omega_conf_dumper
from fit.settings.identity import typed


class JobContext:
    """Opens and closes the jobs of a sweep as `hydra.core.utils.run_job` does."""

    def __init__(self, context: HydraContext, task_function: TaskFunction) -> None:
        """Keep what Hydra passes to a launcher."""
        self.context = context
        self.task_function = task_function
        self._texts: dict[str, str] = {}

    def open(self, config: DictConfig, directory: Path) -> tuple[DictConfig, JobReturn]:
        """Make a job's folder and files and call the callbacks; return its configuration and its unfinished result."""
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.runtime.output_dir = str(directory.absolute())
        with hydra_config(config):
            task_cfg = task_config(config)
            directory.mkdir(parents=True, exist_ok=True)
            hydra = directory / str(config.hydra.output_subdir)
            if config.hydra.output_subdir is not None and not (hydra / "config.yaml").exists():
                self.save(config, task_cfg, hydra)
            self.context.callbacks.on_job_start(config=config, task_function=self.task_function)
            if "logger" in task_cfg:  # each writes into its own folder
                task_cfg.logger = OmegaConf.to_container(task_cfg.logger, resolve=True)
        returned = JobReturn(
            overrides=typed(config),
            cfg=task_cfg,
            hydra_cfg=config,
            working_dir=str(Path.cwd()),
            task_name=config.hydra.job.name,
        )
        return task_cfg, returned

    def close(self, returned: JobReturn, outcome: float | Exception) -> None:
        """Set the outcome of a job's result, and call the callbacks."""
        returned.return_value = outcome
        returned.status = JobStatus.FAILED if isinstance(outcome, Exception) else JobStatus.COMPLETED
        config = returned.hydra_cfg
        assert config is not None
        with hydra_config(config):
            self.context.callbacks.on_job_end(config=config, job_return=returned)

    def save(self, config: DictConfig, task_cfg: DictConfig, folder: Path) -> None:
        """Write the files that Hydra writes: config.yaml, hydra.yaml and overrides.yaml."""
        hydra = {"hydra": OmegaConf.to_container(config.hydra, resolve=False, enum_to_str=True)}
        write_atomically(folder / "hydra.yaml", self.text(hydra).encode())
        write_atomically(folder / "overrides.yaml", self.text(typed(config)).encode())
        # Last: it marks the folder as that of a job.
        task = OmegaConf.to_container(task_cfg, resolve=False, enum_to_str=True)
        write_atomically(folder / "config.yaml", self.text(task).encode())

    def text(self, value: object) -> str:
        """Format plain values as OmegaConf does; sections that jobs share are formatted once."""
        if isinstance(value, Mapping) and any(isinstance(each, Mapping) and each for each in value.values()):
            return "".join(
                f"{key}:\n{indent(self.text(each), '  ')}"
                if isinstance(each, Mapping) and each
                else self.text({key: each})
                for key, each in value.items()
            )
        key = repr(value)
        if key not in self._texts:
            self._texts[key] = yaml.dump(
                value, default_flow_style=False, allow_unicode=True, sort_keys=False, Dumper=get_omega_conf_dumper()
            )
        return self._texts[key]


def task_config(config: DictConfig) -> DictConfig:
    """Return the part of a composed configuration that the application sees."""
    task_cfg = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    OmegaConf.set_struct(task_cfg, True)
    OmegaConf.copy_cache(from_config=config, to_config=task_cfg)
    return task_cfg


@contextmanager
def hydra_config(config: DictConfig) -> Iterator[None]:
    """Make Hydra's references, such as ${hydra:runtime.output_dir}, resolve to this job."""
    instance = HydraConfig.instance()
    before = instance.cfg
    instance.cfg = config  # type: ignore[assignment]
    try:
        yield
    finally:
        instance.cfg = before
