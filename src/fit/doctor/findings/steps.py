"""Causes in the steps: their size, number and noise."""

import math

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
from fit.messages import class_name, plural


def loss_growth(case: Case) -> float:
    """Return the largest training loss over the first; infinite if the run diverged."""
    return math.inf if case.diverged else case.loss_curve.largest / max(case.loss_curve.first, 1e-300)


def settled(case: Case) -> bool:
    """Whether the loss no longer falls, so that more steps would hardly help."""
    return not case.diverged and case.loss_curve.falling < STILL_FALLING


def step_too_large(case: Case) -> Finding | None:
    """Find steps so large that the loss does not fall."""
    found = descent_step_too_large(case) if case.network.optimizer.descent else adaptive_step_too_large(case)
    if found is None:
        return None
    certainty, evidence, message = found
    seen = ""
    if case.diverged:
        seen = f"; the loss stopped being finite at epoch {case.metrics['diverged_epoch']}"
        evidence = {**evidence, "diverged_epoch": int(str(case.metrics["diverged_epoch"]))}
    elif case.trained:
        seen = (
            f"; the loss grew to {loss_growth(case):.2g} times its initial value" if loss_growth(case) > GROWN else ""
        )
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
        "a loss that falls steadily",
    )


def descent_step_too_large(case: Case) -> tuple[str, Evidence, str] | None:
    """Compare a gradient step with the stability limit; return certainty, evidence and explanation."""
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
            f"optimizer.lr = {lr:g} is below the stability limit {limit:.3g} measured {where}, but too large for "
            "steeper batches or steeper regions of the loss"
        )
    return "certain" if case.diverged or over > CERTAIN_FACTOR else "likely", evidence, message


def adaptive_step_too_large(case: Case) -> tuple[str, Evidence, str] | None:
    """Compare an adaptive step with the size of the weights; return certainty, evidence and explanation."""
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
        f"{class_name(case.cfg.optimizer._target_)} moves each weight by about optimizer.lr = {lr:g} in a step, "
        f"{move:.2g} times the typical initial weight"
    )
    return "certain" if case.diverged or move > 2 * NO_STEPS * LARGE_MOVE else "likely", evidence, message


def step_too_small(case: Case) -> Finding | None:
    """Find steps too small to get anywhere."""
    loss_curve, moved = case.loss_curve, case.network.relative_movement
    fell = loss_curve.first / max(loss_curve.last, 1e-300)
    # Weights that do not move at all get no gradient, whatever the step; a run stopped at once could not move them.
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
        f"{message}; in {plural(loss_curve.epochs, 'epoch')} the weights moved by {format_percent(moved)} of their "
        f"size and the loss fell by {f'a factor of {fell:.2g}' if fell > 2 else f'{1 - 1 / fell:.1%}'}{early}.",
        prescribe(case),
        "the same result in far fewer steps",
    )


def cut_short(case: Case) -> bool:
    """Whether early stopping ended the run long before it could fit anything."""
    return case.stopped_early and case.loss_curve.epochs * case.steps_per_epoch < FEW_STEPS * FIT_STEPS


def descent_step_too_small(case: Case, still: bool) -> tuple[Evidence, str] | None:
    """Compare a gradient step with the stability limit; return evidence and explanation."""
    lr, network = float(case.cfg.optimizer.lr), case.network
    limit = min(network.start_limit or math.inf, network.end_limit or math.inf)
    if lr >= SMALL_STEP * limit and not still:
        return None
    return {
        "lr": lr,
        "limit": limit,
    }, f"optimizer.lr = {lr:g} is {format_percent(lr / limit)} of the stability limit {limit:.3g}"


def adaptive_step_too_small(case: Case, still: bool) -> tuple[Evidence, str] | None:
    """Compare how far an adaptive optimizer can have moved with the weights; return evidence and explanation."""
    lr, kind = float(case.cfg.optimizer.lr), class_name(case.cfg.optimizer._target_)
    travel = lr * case.loss_curve.epochs * case.steps_per_epoch / max(case.network.weight_size, 1e-12)
    if not still and (not case.network.optimizer.adaptive or lr >= SMALL_RATE or travel > SMALL_TRAVEL):
        return None
    message = f"{kind} moves each weight by about optimizer.lr = {lr:g} in a step"
    return {"lr": lr, "travel": travel}, message + " at most" * (case.mean_rate_fraction < LOW_SCHEDULE)


def noisy_plateau(case: Case) -> Finding | None:
    """Find a loss that fluctuates about a constant level, as small batches cause it."""
    if (
        case.diverged
        or case.steps_per_epoch == 1
        or case.loss_curve.falling > 2
        or case.mean_rate_fraction < LOW_SCHEDULE
    ):
        return None
    jitter, noise, size = case.loss_curve.jitter, case.network.gradient_noise, case.problem.dataset.batch_size
    noisy = (noise >= GRADIENT_NOISE and settled(case)) or (case.no_better_than_mean and jitter > JITTER / 2)
    if jitter < JITTER and (decays_to_zero(case) or not noisy):
        return None
    seen = "The loss no longer falls, as steps of this size cannot get below its level"
    if jitter >= JITTER / 2:
        seen = f"The loss no longer falls, but fluctuates by {math.expm1(jitter):.0%} between evaluations"
    if noise >= 1:
        seen += (
            f": the gradients of batches of {plural(size or 0, 'row')} deviate from their mean by {noise**0.5:.2g} "
            "times its size"
        )
    return Finding(
        "noisy_plateau",
        "likely",
        {"jitter": jitter, "gradient_noise": noise, "batch_size": size},
        f"{seen}.",
        prescribe(case, smaller_steps(case)),
        "steps that become small enough to average over batches",
    )


def smaller_steps(case: Case) -> dict[str, object]:
    """Return a schedule that decays to zero or, if there is one, a lower rate; a high adaptive rate is lowered too."""
    lr = float(case.cfg.optimizer.lr)
    if decays_to_zero(case):
        return {"optimizer.lr": float(f"{lr / 10:.3g}")}
    adaptive = not case.network.optimizer.descent
    return {"scheduler": "cosine"} | ({"optimizer.lr": min(lr, DEFAULT_RATE)} if adaptive else {})


def too_few_epochs(case: Case) -> Finding | None:
    """Find a run that ended while the training and validation losses were still falling."""
    loss_curve, steps = case.loss_curve, case.loss_curve.epochs * case.steps_per_epoch
    if case.diverged:
        return None
    if cut_short(case):
        return Finding(
            "too_few_epochs",
            "likely",
            {"steps": steps, "epochs": loss_curve.epochs, "patience": int(case.cfg.early_stopping.patience)},
            f"early_stopping.patience = {case.cfg.early_stopping.patience} ended the run after "
            f"{plural(loss_curve.epochs, 'epoch')} of {case.cfg.trainer.max_epochs}, {plural(steps, 'step')}.",
            prescribe(case),
            "a loss that keeps falling",
        )
    few = steps < FIT_STEPS * (0.5 if loss_curve.evaluations < FEW_EVALUATIONS else FEW_STEPS)
    # A training loss that falls alone is memorization.
    falling = min(loss_curve.falling, case.val_loss_curve.falling)
    if falling < (1.0 if few else STILL_FALLING):
        return None
    if few:
        return Finding(
            "too_few_epochs",
            "likely",
            {"steps": steps, "epochs": loss_curve.epochs},
            f"The run took {plural(steps, 'step')}; small networks need a few thousand to fit a smooth function.",
            prescribe(case),
            "a loss that keeps falling",
        )
    per_epoch = 1 - loss_curve.falling_lately ** (-4 / max(loss_curve.epochs, 1))
    rate = f", by {per_epoch:.2%} an epoch at the end" if per_epoch > 1e-4 else ""
    # By a power law, each doubling of the steps lowers the loss by the same factor.
    longer = min(10 ** (2 / math.log2(falling)), 1e4)
    needed = min(max(longer, 4) * steps, max(MOST_FIT_STEPS, 4 * steps))
    return Finding(
        "too_few_epochs",
        "likely" if falling > CERTAIN_FACTOR else "possible",
        {"falling": falling, "per_epoch": per_epoch, "epochs": loss_curve.epochs},
        f"The loss was still falling{rate}, on held-out rows too; the second half of the steps lowered it by a "
        f"factor of {falling:.2g}.",
        prescribe(case, high_frequency_start(case), steps=max(FIT_STEPS, math.ceil(needed))),
        "a loss that keeps falling",
    )
