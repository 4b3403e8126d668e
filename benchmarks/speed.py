"""Time fit against the articles' own loops and against plain Lightning, side by side, as medians and ratios."""

import logging
import shutil
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import lightning.pytorch as L
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import DictConfig, open_dict
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from fit.data.problem import build_dataset, pose
from fit.execute import run_jobs
from fit.folder import RunFolder
from fit.hydra_adapter.command import CONF
from fit.job import Job

FOLDER = Path("outputs/bench")
PYTHON = sys.executable


def interleave(repeats: int, **timed: Callable[[], float]) -> dict[str, float]:
    """Run each in turn, several times, and return the median of what each returns."""
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(repeats):
        for name, run in timed.items():
            seconds[name].append(run())
    return {name: statistics.median(each) for name, each in seconds.items()}


def whole_process(*command: str) -> Callable[[], float]:
    """Time a command from outside."""

    def run() -> float:
        began = time.perf_counter()
        subprocess.run(command, capture_output=True)
        return time.perf_counter() - began

    return run


def configure(*overrides: str) -> DictConfig:
    """Compose what the command line would compose, with a run folder under outputs/bench."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [*overrides, "hydra.run.dir=bench"], return_hydra_config=True)
    folder = FOLDER / f"{time.time_ns()}"
    folder.mkdir(parents=True)
    with open_dict(cfg):
        cfg.hydra.runtime.output_dir = str(folder)
        cfg.hydra.mode = RunMode.RUN
    HydraConfig.instance().set_config(cfg)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


def ours(*overrides: str) -> Callable[[], float]:
    """Time our whole Trainer.fit, with logging, TensorBoard, pictures and checkpoints as they are by default."""

    def run() -> float:
        cfg = configure(*overrides)
        folder = RunFolder(HydraConfig.get().runtime.output_dir)
        folder.write_config(cfg)
        job = Job(cfg, folder, lambda text: None)
        run_jobs([[job]], shown=False)
        return float(str(job.metrics["seconds/fit"]))

    return run


def network(cfg: DictConfig, inputs: int, targets: int) -> nn.Sequential:
    """Build the article's network as everybody writes it."""
    sizes = [inputs, *cfg.model.hidden, targets]
    layers: list[nn.Module] = []
    for index, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(fan_in, fan_out))
        name = cfg.model.activation if index < len(sizes) - 2 else cfg.model.output_activation
        layers += {"gelu": [nn.GELU()], "identity": []}[name]
    return nn.Sequential(*layers)


def parts(cfg: DictConfig) -> tuple[torch.Tensor, torch.Tensor, nn.Sequential, Callable[..., torch.Tensor]]:
    """Return scaled inputs and targets, the network and the loss of an article."""
    problem = pose(build_dataset(cfg.data))
    inputs = problem.input_scaler.transform(problem.train.inputs).float()
    targets = problem.target_scaler.transform(problem.train.targets).float()
    loss = nn.MSELoss(reduction="sum" if cfg.loss == "mse_sum" else "mean")
    return inputs, targets, network(cfg, inputs.shape[1], targets.shape[1]), loss


def optimizer_of(cfg: DictConfig, model: nn.Module) -> torch.optim.Optimizer:
    """Build the article's optimizer."""
    kind = getattr(torch.optim, cfg.optimizer._target_.rsplit(".", 1)[1])
    return kind(model.parameters(), lr=cfg.optimizer.lr)


def plain_loop(*overrides: str) -> Callable[[], float]:
    """Time the article's own loop, written plainly: no logging, no validation, no files."""

    def run() -> float:
        cfg = configure(*overrides)
        inputs, targets, model, loss = parts(cfg)
        optimizer = optimizer_of(cfg, model)
        rows = len(inputs)
        batch = cfg.data.batch_size or rows
        began = time.perf_counter()
        for _ in range(cfg.trainer.max_epochs):
            order = torch.randperm(rows) if batch < rows else None
            for start in range(0, rows, batch):
                chosen = slice(None) if order is None else order[start : start + batch]
                optimizer.zero_grad()
                loss(model(inputs[chosen]), targets[chosen]).backward()
                optimizer.step()
        return time.perf_counter() - began

    return run


class Plain(L.LightningModule):
    """The same in plain Lightning: automatic optimization, the loss logged."""

    def __init__(self, cfg: DictConfig, model: nn.Module, loss: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.cfg, self.model, self.loss = cfg, model, loss

    def training_step(self, batch: list[torch.Tensor]) -> torch.Tensor:
        loss = self.loss(self.model(batch[0]), batch[1])
        self.log("loss/train", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return optimizer_of(self.cfg, self.model)


def plain_lightning(*overrides: str) -> Callable[[], float]:
    """Time Trainer.fit of plain Lightning with a DataLoader and TensorBoard, no bar, no validation, no checkpoints."""

    def run() -> float:
        cfg = configure(*overrides)
        inputs, targets, model, loss = parts(cfg)
        loader = DataLoader(TensorDataset(inputs, targets), cfg.data.batch_size or len(inputs), shuffle=True)
        trainer = L.Trainer(
            max_epochs=cfg.trainer.max_epochs,
            accelerator="cpu",
            logger=TensorBoardLogger(str(FOLDER / "lightning")),
            enable_progress_bar=False,
            enable_checkpointing=False,
            enable_model_summary=False,
        )
        began = time.perf_counter()
        trainer.fit(Plain(cfg, model, loss), loader)
        return time.perf_counter() - began

    return run


def compare(title: str, steps: int, repeats: int, *overrides: str, against: tuple[str, ...]) -> None:
    """Print the time of a step in each way, and ours as a part of each other."""
    ways = {"ours": ours, "loop": plain_loop, "lightning": plain_lightning}
    for name in ("ours", *against):  # what is imported or compiled at the first call
        ways[name](*overrides, "trainer.max_epochs=1")()
    medians = interleave(repeats, **{name: ways[name](*overrides) for name in ("ours", *against)})
    told = ", ".join(f"{name} {seconds / steps * 1e6:.0f} µs" for name, seconds in medians.items())
    ratios = ", ".join(f"{medians['ours'] / medians[name]:.2f} of {name}" for name in against)
    print(f"{title:<34}{told:<48}{ratios}", flush=True)


def main() -> None:
    """Print everything."""
    logging.getLogger("fit").setLevel(logging.ERROR)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print("Whole processes, medians of 5 in turn:")
    imports = whole_process(PYTHON, "-c", "import torch, lightning.pytorch")
    job = whole_process(
        PYTHON, "-m", "fit.train", "model=mlp_gelu", "data=xy_square", f"hydra.run.dir={FOLDER}/${{now:%f}}"
    )
    medians = interleave(5, job=job, imports=imports)
    both = f"main job {medians['job']:.1f} s, importing torch and Lightning {medians['imports']:.1f} s"
    print(f"  {both}: {medians['job'] / medians['imports']:.2f}")
    for name, arguments in {
        "--help": ["--help"],
        "an unknown model": ["model=foo"],
        "optimizer.lr=0": ["optimizer.lr=0"],
    }.items():
        print(f"  {name}: {interleave(5, it=whole_process(PYTHON, '-m', 'fit.train', *arguments))['it']:.2f} s")
    print("Whole Trainer.fit, per step, medians of 5 in turn (A3 over 100,000 epochs: 1):")
    compare("A1, 100 epochs, batch 2", 1800, 5, "experiment=a1_cured", against=("loop", "lightning"))
    compare("A4, 1,000 epochs, full batch", 1000, 5, "experiment=a4", against=("loop", "lightning"))
    compare(
        "A3, 5,000 epochs, full batch",
        5000,
        5,
        "experiment=a3_scaled",
        "trainer.max_epochs=5000",
        against=("loop", "lightning"),
    )
    compare("A3, 100,000 epochs, full batch", 100_000, 1, "experiment=a3_slow", against=("loop",))
    shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main()
