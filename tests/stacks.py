"""Small stacks to train in tests."""

import math

import torch

from fit.data.batches import Batches
from fit.evaluation.losses import find_loss
from fit.model.stack import Stack
from fit.model.start import start_values
from fit.training.eager import Eager
from fit.training.recipe import Recipe
from fit.training.schedules import Cosine

# Every optimizer that conf/optimizer offers, and settings that make another of it.
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.01}),
    "decaying adam": (torch.optim.Adam, {"weight_decay": 0.01}),
    "amsgrad": (torch.optim.Adam, {"amsgrad": True}),
    "adamax": (torch.optim.Adamax, {}),
    "centered": (torch.optim.RMSprop, {"centered": True, "momentum": 0.5}),
    "damped": (torch.optim.SGD, {"momentum": 0.9, "dampening": 0.3}),
    "slowing": (torch.optim.Adagrad, {"lr_decay": 0.01, "initial_accumulator_value": 0.1}),
    "nadam": (torch.optim.NAdam, {}),
    "radam": (torch.optim.RAdam, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adagrad": (torch.optim.Adagrad, {}),
    "adadelta": (torch.optim.Adadelta, {}),
}


def make_rows(rows, inputs, targets, dtype):
    generator = torch.Generator().manual_seed(7)
    return (
        torch.randn(1, rows, columns, generator=generator, dtype=torch.float64).to(dtype)
        for columns in (inputs, targets)
    )


def make_recipe(seeds, lrs, optimizer="adam", **changes):
    kind, given = OPTIMIZERS[optimizer]
    members, settings = len(seeds), {key: value for key, value in given.items() if key != "weight_decay"}
    recipe = {
        "optimizer": kind,
        "optimizer_settings": settings | ({"weight_decay": 0.0} if kind is torch.optim.AdamW else {}),
        "lr": lrs,
        "seeds": seeds,
        "l1": [0.0] * members,
        "l2": [0.0] * members,
        "clip_val": [math.inf] * members,
        "schedule": Cosine(),
        "loss": find_loss("mse"),
        "weight_decay": [given.get("weight_decay", 0.0)] * members,
        "max_epochs": [100] * members,
        "evaluate_every": 10,
    }
    return Recipe(**recipe | changes)


def train(
    recipe,
    sizes,
    activation,
    rows,
    batch_size,
    steps,
    dtype=torch.float32,
    output="identity",
    dropout=0.0,
    engine=Eager,
):
    """Train a stack for at least so many steps and return its weights `[members, parameters]`."""
    inputs, targets = make_rows(rows, sizes[0], sizes[-1], dtype)
    starts = torch.stack([start_values(sizes, seed) for seed in recipe.seeds]).to(dtype)
    stack = Stack(starts, sizes, activation, output, dropout=dropout)
    trained = engine(stack, recipe)
    batches = Batches(inputs, targets, batch_size, recipe.seeds)
    while trained.step < steps:
        trained.train(batches, -(-steps // len(batches)))
    return stack.theta.data
