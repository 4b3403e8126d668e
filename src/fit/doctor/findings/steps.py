"""Causes that lie in the steps: their size, their number, their noise."""

import math

from fit.doctor.case import Case
from fit.doctor.finding import Finding
from fit.doctor.prescription import bending, prescribe, steps_per_epoch
from fit.doctor.stability import is_descent, name
from fit.doctor.thresholds import (
    ADAPTIVE_RATES,
    DEFAULT_RATE,
    FEW_LOOKS,
    FIT_STEPS,
    GRADIENT_NOISE,
    GROWN,
    HARDLY_MOVED,
    JITTER,
    LARGE_MOVE,
    SMALL_STEP,
    SMALL_TRAVEL,
    SPENT,
    STILL_FALLING,
)


def weight_size(case: Case) -> float:
    """Return the root mean square of the start values."""
    return float(case.start.theta.data.square().mean().sqrt())


def grown(case: Case) -> float:
    """Return the largest loss seen over that of the start; infinite where the run diverged."""
    if case.diverged:
        return math.inf
    return case.progress.largest / max(case.progress.first, 1e-300)


def settled(case: Case) -> bool:
    """Whether more steps would not help much."""
    return not case.diverged and case.progress.falling < STILL_FALLING


def useless(case: Case) -> bool:
    """Whether always answering the mean is about as good."""
    return case.diverged or float(str(case.metrics["train/loss"])) > 0.9 * case.spread


def step_too_large(case: Case) -> Finding | None:
    """Steps that leap over the valley."""
    lr, cfg = float(case.cfg.optimizer.lr), case.cfg
    if not case.trained:
        if not is_descent(cfg.optimizer) or not case.start_limit or lr <= case.start_limit * (1 if case.affine else 4):
            return None
    elif not case.diverged:
        if not (grown(case) > GROWN or useless(case) or case.progress.jitter >= JITTER or is_descent(cfg.optimizer)):
            return None
    evidence: dict[str, float | int | str | bool | None] = {"lr": lr, "optimizer": name(cfg.optimizer)}
    seen = ""
    if case.trained:
        evidence |= {
            "loss_grew": grown(case) if not case.diverged else None,
            "diverged_epoch": int(str(case.metrics["diverged_epoch"])) if case.diverged else None,
        }
        seen = (
            f"; the loss stopped being finite at epoch {case.metrics['diverged_epoch']}"
            if case.diverged
            else f"; the loss grew {grown(case):.2g} times over its start"
            if grown(case) > GROWN
            else ""
        )
    if is_descent(cfg.optimizer):
        limit, where = case.start_limit or math.inf, "at the start"
        if case.trained and not case.diverged and case.end_limit is not None and case.end_limit < limit:
            limit, where = case.end_limit, "at the end"
        sharpness = case.start_sharpness
        evidence |= {"limit": limit, "times": lr / limit, "sharpness": sharpness}
        over = lr / limit
        if not case.diverged and over < 1 and grown(case) <= GROWN:
            return None
        told = (
            f"optimizer.lr = {lr:g} is {over:.2g} times the stability limit {limit:.3g} {where} "
            f"(λmax = {sharpness:.5g})"
        )
        certainty = "certain" if case.diverged or over > 1.5 else "likely"
    else:
        move = lr / weight_size(case)
        evidence |= {"move": move, "limit": case.end_limit}
        calm = grown(case) <= GROWN and case.progress.jitter < JITTER and not (useless(case) and move > 5 * LARGE_MOVE)
        jumps = steps_per_epoch(case) == 1 and not annealed(case) and case.progress.jitter >= JITTER
        if not case.diverged and (calm or move < LARGE_MOVE) and not jumps:
            return None
        told = f"{name(cfg.optimizer)} moves each weight by about optimizer.lr = {lr:g} in a step, {move:.2g} times the size of the weights"
        certainty = "certain" if case.diverged or move > 10 * LARGE_MOVE else "likely"
    return Finding(
        "step_too_large",
        certainty,
        evidence,
        f"{told}{seen}.",
        prescribe(case, lower(case)),
        "a loss that falls step by step",
    )


def lower(case: Case) -> dict[str, object]:
    """Return a learning rate in the range that suits, if the present one is not."""
    if is_descent(case.cfg.optimizer):
        return {}
    return {"optimizer.lr": 1e-2} if case.cfg.optimizer.lr > ADAPTIVE_RATES[1] else {}


def travel(case: Case) -> float:
    """Return how far an adaptive optimizer can have moved each weight, over the size of the weights."""
    steps = case.cfg.trainer.max_epochs * steps_per_epoch(case)
    return float(case.cfg.optimizer.lr) * steps / max(weight_size(case), 1e-12)


def step_too_small(case: Case) -> Finding | None:
    """Steps that hardly move."""
    if case.diverged:
        return None
    lr, cfg = float(case.cfg.optimizer.lr), case.cfg
    if is_descent(cfg.optimizer):
        limit = min(case.start_limit or math.inf, case.end_limit or math.inf)
        if not (lr < SMALL_STEP * limit or case.moved < HARDLY_MOVED or case.progress.spent < SPENT):
            return None
        evidence = {"lr": lr, "limit": limit, "part": lr / limit}
        told = f"optimizer.lr = {lr:g} is {lr / limit:.2g} of the stable limit {limit:.3g}"
    elif case.moved < HARDLY_MOVED or case.progress.spent < SPENT:
        evidence = {"lr": lr}
        told = f"{name(cfg.optimizer)} with optimizer.lr = {lr:g}"
    elif name(cfg.optimizer) in ("Adagrad", "Adadelta"):
        return None
    else:
        moved = travel(case)
        if lr >= ADAPTIVE_RATES[0] / 3 or moved > 100 * SMALL_TRAVEL:
            return None
        evidence = {"lr": lr, "travel": moved}
        told = (
            f"{name(cfg.optimizer)} moves each weight by at most about optimizer.lr = {lr:g} in a step, in all by "
            f"{moved:.2g} times the size of the weights"
        )
    fell = case.progress.first / max(case.progress.last, 1e-300)
    return Finding(
        "step_too_small",
        "certain" if case.progress.falling > STILL_FALLING or fell < STILL_FALLING else "likely",
        evidence | {"fell": fell, "moved": case.moved, "spent": case.progress.spent},
        f"{told}; in {case.progress.epochs} epochs the weights moved by {case.moved:.2g} of their size and the loss fell "
        f"{fell:.3g} times"
        + (
            f", as the schedule spends only {case.progress.spent:.2g} of what that rate could"
            if case.progress.spent < SPENT
            else ""
        )
        + ".",
        prescribe(case),
        "the same in far fewer steps",
    )


def noisy_plateau(case: Case) -> Finding | None:
    """A loss that jumps about a level, as the steps of small batches do."""
    batches = steps_per_epoch(case)
    if case.diverged or batches == 1 or case.progress.falling > 2:
        return None
    noise = case.gradient_noise
    if case.progress.jitter < JITTER and (annealed(case) or noise < GRADIENT_NOISE or not settled(case)):
        return None
    size = case.problem.dataset.batch_size
    return Finding(
        "noisy_plateau",
        "likely",
        {"jitter": case.progress.jitter, "gradient_noise": noise, "batch_size": size, "batches": batches},
        f"Between looks the loss jumps by {math.expm1(case.progress.jitter):.0%} about a level that no longer falls: the "
        f"gradients of batches of {size} rows differ {noise**0.5:.2g} times as much as they agree, and steps of this "
        "size follow each of them.",
        prescribe(case, calmer(case)),
        "steps that end small enough to average over batches",
    )


def calmer(case: Case) -> dict[str, object]:
    """Return a schedule that ends low, or where there is one a lower rate; and what suits adaptive optimizers best."""
    lr = float(case.cfg.optimizer.lr)
    rate = lr / 10 if annealed(case) else min(lr, DEFAULT_RATE) if not is_descent(case.cfg.optimizer) else lr
    return (
        {"scheduler": "cosine"} | ({"optimizer.lr": rate} if rate < lr else {})
        if not annealed(case)
        else {"optimizer.lr": rate}
    )


def annealed(case: Case) -> bool:
    """Whether the learning rate falls towards the end."""
    return not str(case.cfg.scheduler._target_).endswith(".Schedule")


def too_few_epochs(case: Case) -> Finding | None:
    """A loss that was still falling when the run ended."""
    progress = case.progress
    steps = case.cfg.trainer.max_epochs * steps_per_epoch(case)
    short = progress.looks < FEW_LOOKS and steps < FIT_STEPS / 2
    if case.diverged or not (short or progress.falling >= STILL_FALLING):
        return None
    if short:
        return Finding(
            "too_few_epochs",
            "likely",
            {"steps": steps, "epochs": progress.epochs},
            f"{steps} steps are too few to tell: small networks take some thousands to fit a smooth function.",
            prescribe(case),
            "a loss that goes on falling",
        )
    per_epoch = 1 - (1 / progress.lately) ** (4 / max(progress.epochs, 1))
    power = math.log2(progress.falling)
    more = min(10 ** (2 / power), 1e4)
    needed = math.ceil(min(max(more, 4), 20) * progress.epochs)
    cure = prescribe(case, bending(case), steps=max(FIT_STEPS, needed * steps_per_epoch(case)))
    return Finding(
        "too_few_epochs",
        "likely" if progress.falling > 1.5 else "possible",
        {"falling": progress.falling, "per_epoch": per_epoch, "epochs": progress.epochs, "times_as_long": more},
        f"The loss was still falling, by {per_epoch:.2%} an epoch at the end; the last half of the steps lowered it "
        f"{progress.falling:.2g} times, so a hundredth of it takes about {more:.2g} times as long.",
        cure,
        "a loss that goes on falling",
    )
