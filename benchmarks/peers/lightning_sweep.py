"""The sweep of article A1's cured settings in plain Lightning with Hydra's basic launcher, one job after another."""

import csv
from pathlib import Path

import hydra
import lightning.pytorch as L
import torch
from hydra.core.hydra_config import HydraConfig
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from omegaconf import DictConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

POINTS = Path(__file__).parents[2] / "src/fit/data/xy_ring.csv"
CENTER, RADIUS = (-0.034574, -0.075985), 14.0114  # of the circle that the points lie on


class Ring(L.LightningDataModule):
    """36 standardized points labelled x² + y², and 360 fresh ones of the same circle to validate on."""

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size

    def setup(self, stage: str) -> None:
        with POINTS.open() as file:
            points = torch.tensor([[float(row["x"]), float(row["y"])] for row in csv.DictReader(file)])
        angles = 2 * torch.pi * torch.rand(360, 1)
        fresh = torch.tensor(CENTER) + RADIUS * torch.cat([angles.cos(), angles.sin()], 1)
        self.train, self.val = (labelled((rows - points.mean(0)) / points.std(0)) for rows in (points, fresh))

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.train, self.batch_size, shuffle=True, num_workers=0)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.val, len(self.val), num_workers=0)


def labelled(points: Tensor) -> TensorDataset:
    """Return `[x, y, 1]` with x² + y²."""
    return TensorDataset(torch.cat([points, torch.ones(len(points), 1)], 1), points.square().sum(1, keepdim=True))


class Network(L.LightningModule):
    """The article's network: 3 inputs, a hidden layer without activation, one output."""

    def __init__(self, hidden: int, lr: float) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.model = nn.Sequential(nn.Linear(3, hidden), nn.Linear(hidden, 1))
        for layer in self.model:
            nn.init.xavier_normal_(layer.weight)
        self.loss = nn.MSELoss()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.model(inputs)

    def training_step(self, batch: list[Tensor]) -> Tensor:
        loss = self.loss(self(batch[0]), batch[1])
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor]) -> None:
        self.log("val/loss", self.loss(self(batch[0]), batch[1]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.RAdam(self.parameters(), lr=self.hparams.lr)


@hydra.main(config_path="conf", config_name="lightning_sweep", version_base="1.3")
def main(cfg: DictConfig) -> float:
    """Train one network in the job's folder, and return its loss on the fresh points."""
    torch.set_num_threads(1)
    L.seed_everything(cfg.seed)
    folder = HydraConfig.get().runtime.output_dir
    trainer = L.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=cfg.max_epochs,
        check_val_every_n_epoch=cfg.check_val_every_n_epoch,
        num_sanity_val_steps=0,
        logger=TensorBoardLogger(folder, name="", version=""),
        callbacks=[ModelCheckpoint(f"{folder}/checkpoints", monitor="val/loss", save_last=True)],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Network(cfg.hidden, cfg.lr), Ring(cfg.batch_size))
    return float(trainer.callback_metrics["val/loss"])


if __name__ == "__main__":
    main()
