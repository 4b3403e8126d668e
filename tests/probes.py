"""A logger that writes down what surrounds it, for tests."""

import os
from pathlib import Path

from hydra.experimental.callback import Callback
from lightning.pytorch.loggers import Logger


class Probe(Logger):
    """Writes an environment variable into the run folder, and what it is given."""

    def __init__(self, save_dir):
        super().__init__()
        self.folder = Path(save_dir)
        (self.folder / "probe.txt").write_text(os.environ.get("FIT_PROBE", "nothing") + f"\n{Path.cwd()}")

    name = "probe"
    version = ""

    def log_hyperparams(self, params):
        pass

    def log_metrics(self, metrics, step):
        with (self.folder / "steps.txt").open("a") as file:
            file.write(f"{step} {metrics['rmse/val']}\n")


class Listener(Callback):
    """Writes down what Hydra tells its callbacks."""

    def __init__(self, path):
        self.path = Path(path)

    def write(self, word):
        with self.path.open("a") as file:
            file.write(word + "\n")

    def on_multirun_start(self, config, **kwargs):
        self.write("multirun_start")

    def on_multirun_end(self, config, **kwargs):
        self.write("multirun_end")

    def on_job_start(self, config, **kwargs):
        self.write(f"job_start_{config.hydra.job.num}")

    def on_job_end(self, config, job_return, **kwargs):
        assert isinstance(job_return.return_value, float)
        self.write(f"job_end_{config.hydra.job.num}")
