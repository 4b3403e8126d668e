"""Causes that lie in the steps: their size, their number, their noise."""

import math

from fit.catalog.optimizers import class_name
from fit.doctor.case import Case
from fit.doctor.cures.prescription import decays_to_zero, high_frequency_start, prescribe
from fit.doctor.finding import Evidence, Finding
from fit.doctor.text import format_percent
from fit.doctor.thresholds import (
    ADAPTIVE_RATES,
    CERTAIN_FACTOR,
    DEFAULT_RATE,
    FEW_EVALUATIONS,
    FEW_STEPS,
    FIT_STEPS,
    GRADIENT_NOISE,
    GROWN,
    HARDLY_MOVED,
    JITTER,
    LARGE_MOVE,
    LOW_SCHEDULE,
    MOST_FIT_STEPS,
    MOST_SILENT,
    NO_STEPS,
    NO_WEIGHTS,
    RECOVERS,
    SMALL_RATE,
    SMALL_STEP,
    SMALL_TRAVEL,
    STILL_FALLING,
    WELL_FALLEN,
)
from fit.messages import plural


def loss_growth(case: Case) -> float:
    """Return the largest loss seen over that of the start; infinite where the run diverged."""
    return math.inf if case.diverged else case.loss_curve.largest / max(case.loss_curve.first, 1e-300)


def settled(case: Case) -> bool:
    """Whether more steps would not help much."""
    return not case.diverged and case.loss_curve.falling < STILL_FALLING


def step_too_large(case: Case) -> Finding | None:
    """Find steps that leap over the valley."""
    found = descent_step_too_large(case) if case.network.optimizer.descent else adaptive_step_too_large(case)
    if found is None:
        return None
    certainty, evidence, message = found
    seen = ""
    if case.diverged:
        seen = f"; the loss stopped being finite at epoch {case.metrics['diverged_epoch']}"
        evidence = {**evidence, "diverged_epoch": int(str(case.metrics["diverged_epoch"]))}
    elif case.trained:
        seen = f"; the loss grew {loss_growth(case):.2g} times over its start" if loss_growth(case) > GROWN else ""
        evidence = {**evidence, "loss_grew": loss_growth(case), "jitter": case.loss_curve.jitter}
    changes: dict[str, object] = {}
    if case.cfg.optimizer.lr > ADAPTIVE_RATES[1] and not case.network.optimizer.descent:
        changes["optimizer.lr"] = DEFAULT_RATE
    return Finding(
        "step_too_large",
        certainty,
        evidence,
        f"{message}{seen}.",
        prescribe(case, changes),
        "a loss that falls step by step",
    )


def descent_step_too_large(case: Case) -> tuple[str, Evidence, str] | None:
    """Compare a step along the gradient with what the curvature bears; return certainty, evidence and words."""
    network, lr = case.network, float(case.cfg.optimizer.lr)
    limit, where = network.start_limit or math.inf, "at the start"
    if network.end_limit is not None and network.end_limit < limit:
        limit, where = network.end_limit, "at the end"
    over = lr / limit
    if not case.trained and over <= (1.0 if case.affine else RECOVERS):
        return None
    if case.trained and not case.diverged and over < 1 and loss_growth(case) <= GROWN:
        return None
    evidence = {"lr": lr, "limit": limit, "times": over, "sharpness": network.start_sharpness}
    message = (
        f"optimizer.lr = {lr:g} is {over:.2g} times the stability limit {limit:.3g} {where} "
        f"(λmax = {network.start_sharpness:.5g} at the start)"
    )
    if over < 1:
        message = (
            f"optimizer.lr = {lr:g} is below the stability limit {limit:.3g} that was measured {where}, and yet too "
            "large for batches or places that are steeper"
        )
    return "certain" if case.diverged or over > CERTAIN_FACTOR else "likely", evidence, message


def adaptive_step_too_large(case: Case) -> tuple[str, Evidence, str] | None:
    """Compare an adaptive step with the size of the weights; return certainty, evidence and words."""
    if not case.trained:
        return None
    lr, jumpy = float(case.cfg.optimizer.lr), case.loss_curve.jitter >= JITTER
    if case.network.weight_size < NO_WEIGHTS:
        return None
    move = lr / case.network.weight_size
    wild = loss_growth(case) > GROWN or jumpy or (case.no_better_than_mean and move > NO_STEPS * LARGE_MOVE)
    jumps = jumpy and case.steps_per_epoch == 1 and not decays_to_zero(case)
    if not case.diverged and not jumps and not (wild and move >= LARGE_MOVE):
        return None
    evidence = {"lr": lr, "move": move, "limit": case.network.end_limit}
    message = (
        f"{class_name(case.cfg.optimizer)} moves each weight by about optimizer.lr = {lr:g} in a step, {move:.2g} "
        "times the size that weights start with"
    )
    return "certain" if case.diverged or move > 2 * NO_STEPS * LARGE_MOVE else "likely", evidence, message


def step_too_small(case: Case) -> Finding | None:
    """Find steps that hardly move."""
    loss_curve, moved = case.loss_curve, case.network.relative_movement
    fell = loss_curve.first / max(loss_curve.last, 1e-300)
    # What does not move at all gets no gradient, whatever the step; what was stopped at once could not move.
    dead = max((layer.dead for layer in case.network.end_layers[:-1]), default=0.0) > MOST_SILENT
    if case.diverged or fell > WELL_FALLEN or moved < NO_WEIGHTS or dead or cut_short(case):
        return None
    still = moved < HARDLY_MOVED or case.mean_rate_fraction < LOW_SCHEDULE
    found = (
        descent_step_too_small(case, still) if case.network.optimizer.descent else adaptive_step_too_small(case, still)
    )
    if found is None:
        return None
    evidence, message = found
    early = f", as the schedule allows only {format_percent(case.mean_rate_fraction)} of that rate on average" * (
        case.mean_rate_fraction < LOW_SCHEDULE
    )
    return Finding(
        "step_too_small",
        "certain" if still or loss_curve.falling > STILL_FALLING else "likely",
        {**evidence, "fell": fell, "moved": moved, "spent": case.mean_rate_fraction},
        f"{message}; in {plural(loss_curve.epochs, 'epoch')} the weights moved by {format_percent(moved)} of their size and "
        f"the loss fell by {f'a factor of {fell:.2g}' if fell > 2 else f'{1 - 1 / fell:.1%}'}{early}.",
        prescribe(case),
        "the same in far fewer steps",
    )


def cut_short(case: Case) -> bool:
    """Whether early stopping ended the run long before it could have fitted anything."""
    return case.stopped_early and case.loss_curve.epochs * case.steps_per_epoch < FEW_STEPS * FIT_STEPS


def descent_step_too_small(case: Case, still: bool) -> tuple[Evidence, str] | None:
    """Compare a step along the gradient with what the curvature would bear."""
    lr, network = float(case.cfg.optimizer.lr), case.network
    limit = min(network.start_limit or math.inf, network.end_limit or math.inf)
    if lr >= SMALL_STEP * limit and not still:
        return None
    return {
        "lr": lr,
        "limit": limit,
    }, f"optimizer.lr = {lr:g} is {format_percent(lr / limit)} of the stability limit {limit:.3g}"


def adaptive_step_too_small(case: Case, still: bool) -> tuple[Evidence, str] | None:
    """Compare all the steps that an adaptive optimizer can have taken with the size of the weights."""
    lr, kind = float(case.cfg.optimizer.lr), class_name(case.cfg.optimizer)
    travel = lr * case.loss_curve.epochs * case.steps_per_epoch / max(case.network.weight_size, 1e-12)
    if not still and (not case.network.optimizer.adaptive or lr >= SMALL_RATE or travel > SMALL_TRAVEL):
        return None
    message = f"{kind} moves each weight by about optimizer.lr = {lr:g} in a step"
    return {"lr": lr, "travel": travel}, message + " at most" * (case.mean_rate_fraction < LOW_SCHEDULE)


def noisy_plateau(case: Case) -> Finding | None:
    """Find a loss that jumps about a level, as the steps of small batches do."""
    if (
        case.diverged
        or case.steps_per_epoch == 1
        or case.loss_curve.falling > 2
        or case.mean_rate_fraction < LOW_SCHEDULE
    ):
        return None
    jitter, noise, size = case.loss_curve.jitter, case.network.gradient_noise, case.problem.dataset.batch_size
    torn = (noise >= GRADIENT_NOISE and settled(case)) or (case.no_better_than_mean and jitter > JITTER / 2)
    if jitter < JITTER and (decays_to_zero(case) or not torn):
        return None
    seen = "The loss stands still at a level that steps of this size do not get below"
    if jitter >= JITTER / 2:
        seen = f"Between looks the loss jumps by {math.expm1(jitter):.0%} about a level that no longer falls"
    if noise >= 1:
        seen += (
            f": the gradients of batches of {plural(size or 0, 'row')} scatter by {noise**0.5:.2g} times their "
            "mean, and each step follows its own batch"
        )
    return Finding(
        "noisy_plateau",
        "likely",
        {"jitter": jitter, "gradient_noise": noise, "batch_size": size},
        f"{seen}.",
        prescribe(case, smaller_steps(case)),
        "steps that end small enough to average over batches",
    )


def smaller_steps(case: Case) -> dict[str, object]:
    """Return a schedule that ends low, or where there is one a lower rate; an adaptive rate is lowered, too."""
    lr = float(case.cfg.optimizer.lr)
    if decays_to_zero(case):
        return {"optimizer.lr": float(f"{lr / 10:.3g}")}
    adaptive = not case.network.optimizer.descent
    return {"scheduler": "cosine"} | ({"optimizer.lr": min(lr, DEFAULT_RATE)} if adaptive else {})


def too_few_epochs(case: Case) -> Finding | None:
    """Find losses, on the training rows and on those judged on, that were still falling when the run ended."""
    loss_curve, steps = case.loss_curve, case.loss_curve.epochs * case.steps_per_epoch
    if case.diverged:
        return None
    if cut_short(case):
        return Finding(
            "too_few_epochs",
            "likely",
            {"steps": steps, "epochs": loss_curve.epochs, "patience": int(case.cfg.early_stopping.patience)},
            f"early_stopping.patience = {case.cfg.early_stopping.patience} ended the run after "
            f"{plural(loss_curve.epochs, 'epoch')} of {case.cfg.trainer.max_epochs}, which is {plural(steps, 'step')}.",
            prescribe(case),
            "a loss that goes on falling",
        )
    few = steps < FIT_STEPS * (0.5 if loss_curve.evaluations < FEW_EVALUATIONS else FEW_STEPS)
    # What falls on the training rows alone is learned by heart.
    falling = min(loss_curve.falling, case.val_loss_curve.falling)
    if falling < (1.0 if few else STILL_FALLING):
        return None
    if few:
        return Finding(
            "too_few_epochs",
            "likely",
            {"steps": steps, "epochs": loss_curve.epochs},
            f"The run took {plural(steps, 'step')}; small networks need some thousands to fit a smooth function.",
            prescribe(case),
            "a loss that goes on falling",
        )
    per_epoch = 1 - loss_curve.falling_lately ** (-4 / max(loss_curve.epochs, 1))
    rate = f", by {per_epoch:.2%} an epoch at the end" if per_epoch > 1e-4 else ""
    # On a power law each doubling of the steps lowers the loss as much as the last did.
    longer = min(10 ** (2 / math.log2(falling)), 1e4)
    needed = min(max(longer, 4) * steps, max(MOST_FIT_STEPS, 4 * steps))
    return Finding(
        "too_few_epochs",
        "likely" if falling > CERTAIN_FACTOR else "possible",
        {"falling": falling, "per_epoch": per_epoch, "epochs": loss_curve.epochs},
        f"The loss was still falling{rate}, on rows held out too; the last half of the steps lowered it "
        f"{falling:.2g} times.",
        prescribe(case, high_frequency_start(case), steps=max(FIT_STEPS, math.ceil(needed))),
        "a loss that goes on falling",
    )
