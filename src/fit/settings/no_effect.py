"""Settings without effect, or with another effect than they seem to have: no mistakes, but reported before the run."""

from collections.abc import Callable, Collection, Iterator

from omegaconf import DictConfig

from fit.messages import shown


def without_effect(cfg: DictConfig, typed: Callable[[], Collection[str]]) -> Iterator[str]:
    """Yield a sentence for each setting without the effect that it seems to have.

    `typed` returns the names of what was typed: a default that does nothing surprises nobody.
    """
    yield from stopping_without_effect(cfg)
    model, trainer, data = cfg.model, cfg.trainer, cfg.data
    if trainer.gradient_clip_val is None and trainer.gradient_clip_algorithm != "norm":
        yield (
            f"trainer.gradient_clip_algorithm={trainer.gradient_clip_algorithm} does nothing: "
            "trainer.gradient_clip_val is null."
        )
    yield from model_without_effect(model)
    step = cfg.scheduler.get("step_size")
    if step is not None and step >= trainer.max_epochs:
        yield f"scheduler.step_size={step} does nothing: there are trainer.max_epochs={trainer.max_epochs}."
    others = {"cv": cfg.cv or data.get("folds")} | {f"data.{key}": data.get(key) for key in ("val_path", "val_groups")}
    how = next((key for key, value in others.items() if value is not None), None)
    if how is not None and "data.val_fraction" in typed():
        yield f"data.val_fraction={data.val_fraction} does nothing: {how} says which rows are held out."


def stopping_without_effect(cfg: DictConfig) -> Iterator[str]:
    """Say where early stopping cannot act, or acts later than asked for, as it acts where the run is looked at."""
    patience, epochs, every = (
        cfg.early_stopping.patience,
        cfg.trainer.max_epochs,
        cfg.trainer.check_val_every_n_epoch,
    )
    if patience is None:
        return
    acts = -(-patience // every) * every
    if acts >= epochs:
        yield (
            f"early_stopping.patience={patience} does nothing: the run has trainer.max_epochs={epochs}, "
            f"looked at every {every}."
        )
    elif acts > patience:
        yield (
            f"early_stopping.patience={patience} acts after {acts} epochs without a lower val/loss: "
            f"the run is looked at every trainer.check_val_every_n_epoch={every}."
        )


def model_without_effect(model: DictConfig) -> Iterator[str]:
    """Say what of a multilayer perceptron's settings does nothing."""
    if "module" in model:
        return
    if not model.hidden and model.activation != "identity":
        yield f"model.activation={model.activation} does nothing: model.hidden=[] has no hidden layer."
    if not model.hidden and model.dropout:
        yield f"model.dropout={model.dropout} does nothing: model.hidden=[] has no hidden layer."
    if not model.bias and isinstance(model.init, DictConfig) and model.init.bias != 0:
        yield f"The bias of model.init={shown(model.init)} does nothing: model.bias is false."
