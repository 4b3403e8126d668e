"""The text that the terminal shows before and after a run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from shlex import quote

from omegaconf import DictConfig
from torch import Tensor

from fit.data.dataset import Rows
from fit.data.problem import Problem
from fit.evaluation.affine import Affine, least_squares, mean_answer
from fit.evaluation.errors import errors
from fit.evaluation.outcome import Outcome
from fit.folder import RunFolder
from fit.messages import align_columns, class_name, ends, option_name, plural, shorten_list
from fit.settings.no_effect import without_effect
from fit.training.engines import Choice
from fit.training.run import Run

MOST_LISTED_TARGETS = 4
MOST_LISTED_INPUTS = 6


def format_run_header(run: Run, device: object, engine: Choice) -> str:
    """Describe in one block what is about to be trained."""
    cfg, problem, optimizer, trainer = run.cfg, run.problem, run.cfg.optimizer, run.cfg.trainer
    rows = len(problem.train.inputs)
    batch = min(problem.dataset.batch_size or rows, rows)
    lines = {
        "data": format_data(problem, option_name(cfg.data._target_), batch),
        "model": f"{run.model}; {plural(run.model.parameters, 'parameter')}",
        "optimizer": f"{class_name(optimizer._target_)}, lr {optimizer.lr:g}, "
        f"{format_schedule(cfg.scheduler._target_)} schedule; loss {cfg.loss}; "
        f"{plural(trainer.max_epochs, 'epoch')} of {plural(-(-rows // batch), 'step')}",
        "device": f"{device}, {trainer.precision}",
        "engine": str(engine),
        "run": str(run.folder.path),
    }
    if run.stored is not None:
        before = run.stored["engine"]
        by = f" by engine={before}" if before not in (None, engine.kind.name) else ""
        lines["resumed"] = f"after epoch {run.stored['epoch']} of {trainer.max_epochs}{by}, from {run.folder.last}"
    elif cfg.resume is not None:
        lines["resumed"] = "from the start: the run had ended before its first checkpoint"
    if notes := [*problem.dataset.notes, *without_effect(cfg, run.folder.read_overrides)]:
        lines["note"] = "\n".join(notes)
    return align_labels(lines) + "\n"


def format_schedule(target: str) -> str:
    """Name a schedule as its configuration file is named: one_cycle for OneCycle."""
    return option_name(target).replace("schedule", "constant")


def format_run_summary(run: Run, outcome: Outcome, metrics: Mapping[str, object], diagnosis: str) -> str:
    """Report a finished run: its errors beside the baselines, an affine network's formula, diagnosis, files."""
    folder, problem = run.folder, run.problem
    epochs, steps = (plural(int(str(metrics[f"{unit}s"])), unit) for unit in ("epoch", "step"))
    places = {"run": f"{folder.path} ({epochs}, {steps}, {metrics['seconds/fit']:.1f} s)"}
    if folder.fit_figure.exists():
        places = {"figures": f"{folder.fit_figure}\n{folder.loss_figure}"} | places
    if any(folder.path.glob("events.*")):
        # A folder that shows all runs together.
        shared = "outputs" if folder.path.parts[0] == "outputs" else str(folder.path.parent)
        places["watch"] = f"tensorboard --logdir {quote(shared)}"
    if metrics["diverged"]:
        epoch = metrics["diverged_epoch"]
        paragraphs = f"Diverged: the loss stopped being finite at epoch {epoch}, and the run ended there."
    else:
        lines = [
            *format_error_table(problem, outcome.predict),
            "",
            *format_losses(metrics),
            *format_formulas(problem, outcome.affine),
        ]
        if run.stopped:
            patience = plural(run.cfg.early_stopping.patience, "epoch")
            lines.append(f"stopped      early (trainer.max_epochs={run.max_epochs}): no lower val/loss for {patience}")
        paragraphs = "\n".join(lines)
    return "\n\n".join([paragraphs, *([diagnosis] if diagnosis else []), align_labels(places)])


def format_ensemble_header(cfg: DictConfig, folder: RunFolder, epochs: Sequence[int]) -> str:
    """Describe the networks that are about to be trained; `epochs` is how far each is trained already, -1 for none."""
    count = len(epochs)
    title, each = (
        ("cv", f"{count} networks, each judged on the fold it is not trained on")
        if cfg.cv
        else ("ensemble", f"{count} networks with seeds {cfg.seed} to {cfg.seed + count - 1}")
    )
    lines = {title: f"{each}; trained together", "run": f"{folder.path}, each network in members/0 to {count - 1}"}
    if max(epochs) >= 0:
        resumed = str(max(epochs)) if min(epochs) == max(epochs) else f"{max(min(epochs), 0)} to {max(epochs)}"
        lines["resumed"] = f"after epoch {resumed} of {cfg.trainer.max_epochs}, from checkpoints/last.ckpt of each"
    return align_labels(lines) + "\n"


def format_ensemble_summary(folder: RunFolder, noun: str, metrics: Mapping[str, object], diagnosis: str) -> str:
    """Report the networks of an ensemble or a cross-validation: the mean and deviation of their errors, and files."""
    together = any(key.startswith("ensemble/") for key in metrics)
    rows = [[f"{metrics['members']} {noun}", "mean", "std", "ensemble" if together else ""]]
    for key in (key for key in metrics if key.endswith(("/rmse", "/max_error", "/r2")) and f"std/{key}" in metrics):
        mean, spread, ensemble = (metrics.get(f"{prefix}{key}") for prefix in ("", "std/", "ensemble/"))
        cells = [f"{mean:.6g}", f"{spread:.3g}", f"{ensemble:.6g}" if ensemble is not None else ""]
        rows.append([f"  {key}", *cells])
    mean_mse = metrics.get("baseline/mean_mse")
    if isinstance(mean_mse, float):
        rows.append(["  always the mean, rmse", f"{mean_mse**0.5:.6g}", "", ""])
    lines = align_columns(rows, numbers=True)
    if metrics["diverged"]:
        lines.append(f"At least one of the {noun} diverged: its error is infinite.")
    places = {"figures": f"{folder.fit_figure}\n{folder.loss_figure}"} if folder.fit_figure.exists() else {}
    paragraphs = [
        "\n".join(lines),
        *([diagnosis] if diagnosis else []),
        align_labels(places | {"run": str(folder.path)}),
    ]
    return "\n\n".join(paragraphs)


def format_losses(metrics: Mapping[str, object]) -> Iterator[str]:
    """Yield the losses, in scaled units, the epoch of the lowest, and the lowest possible."""
    train, val, best = (metrics[key] for key in ("train/loss", "val/loss", "best/epoch"))
    yield f"loss         {train:.6g} train, {val:.6g} val, lowest val at epoch {best}"
    if "floor/loss" in metrics:
        yield f"floor        {metrics['floor/loss']:.6g}: no weights of this model can do better on the training rows"


def format_data(problem: Problem, name: str, batch: int) -> str:
    """Describe the training rows and those that the fit is judged on."""
    dataset, train = problem.dataset, problem.train
    inputs = format_column_ranges(dataset.input_names, train.inputs, MOST_LISTED_INPUTS)
    targets = format_column_ranges(dataset.target_names, train.targets, MOST_LISTED_TARGETS)
    judged = ", ".join(
        f"{region} ({format_row_count(len(rows.inputs), dataset.val_rows if region == 'val' else 'fresh rows')})"
        for region, rows in problem.fresh.items()
    )
    rows = len(train.inputs)
    batches = "all in each step" if batch == rows else f"{batch} in each step"
    wanted = dataset.batch_size
    if wanted is not None and wanted > rows:
        batches += f" (data.batch_size={wanted} is more than that)"
    title = f"{name} {dataset.source}".strip()
    return f"{title}: {plural(rows, 'row')}, {batches}\n{inputs} → {targets}\njudged on {judged}"


def format_row_count(count: int, kind: str) -> str:
    """Format a count with the kind of rows."""
    return f"{count} {kind.replace('rows', 'row', 1) if count == 1 else kind}"


def format_column_ranges(names: tuple[str, ...], values: Tensor, most: int) -> str:
    """Format columns with the range of their values."""
    parts = [
        f"{name} in [{', '.join(ends(low, high))}]" if low < high else f"{name} (always {low:.4g})"
        for name, low, high in zip(names, values.amin(0).tolist(), values.amax(0).tolist(), strict=True)
    ]
    return shorten_list(parts, most, "columns")


def align_labels(lines: dict[str, str]) -> str:
    """Align labelled paragraphs: labels in one column, text in the next."""
    width = max(map(len, lines)) + 2
    return "\n".join(
        f"{label if number == 0 else '':<{width}}{line}"
        for label, text in lines.items()
        for number, line in enumerate(text.splitlines())
    )


def format_error_table(problem: Problem, predict: Callable[[Tensor], Tensor]) -> list[str]:
    """Return a table of the errors in own units, target by target, beside those of the two baselines.

    The baselines, the mean and the best affine function, are fitted on the training rows.
    """
    regions = {"train": problem.train} | problem.fresh
    predictions = {region: predict(rows.inputs) for region, rows in regions.items()}
    mean = mean_answer(problem.train)
    affine = least_squares(problem.train)
    rows = [["", "RMSE", "max error", "R²"]]
    names = problem.dataset.target_names
    columns = [(1 + index, name) for index, name in enumerate(names)]
    if len(names) > 1:
        columns = [
            (0, "both targets" if len(names) == 2 else f"all {len(names)} targets"),
            *(columns if len(names) <= MOST_LISTED_TARGETS else []),
        ]
    for column, name in columns:
        rows.append([name, "", "", ""])
        for region, judged in regions.items():
            label = f"  {region}, {plural(len(judged.inputs), 'row')}"
            rows.append([label, *format_errors(predictions[region], judged, column)])
        for region, judged in problem.fresh.items():
            rows.append([f"  always the mean, on {region}", *format_errors(mean(judged.inputs), judged, column)])
            rows.append([f"  best affine function, on {region}", *format_errors(affine(judged.inputs), judged, column)])
    lines = align_columns(rows, numbers=True)
    if len(names) > MOST_LISTED_TARGETS:
        lines.append("(target by target: metrics.json)")
    return lines


def format_errors(predictions: Tensor, rows: Rows, column: int) -> list[str]:
    """Format RMSE, maximum error and R² of a target; column 0 is all targets together."""
    measured = errors(predictions.unsqueeze(0), rows.targets.unsqueeze(0))
    rmse, largest, r2 = (float(measured[key][0, column]) for key in ("rmse", "max_error", "r2"))
    return [f"{rmse:.4g}", f"{largest:.4g}", format_r2(r2)]


def format_r2(r2: float) -> str:
    """Format R² so that only a perfect one is shown as 1."""
    if r2 != r2:
        return "-"
    text = f"{r2:.6f}" if abs(r2) < 1e4 else f"{r2:.3g}"
    return "> 0.999999" if text == "1.000000" and r2 < 1 else text


def format_formulas(problem: Problem, network: Affine | None) -> Iterator[str]:
    """Yield an affine network as a formula in own units, beside the closed form of least squares."""
    names = problem.dataset.target_names
    if network is None or len(names) > MOST_LISTED_TARGETS or len(problem.dataset.input_names) > MOST_LISTED_INPUTS:
        return
    label = max(len(name) for name in names)
    for index, name in enumerate(names):
        for title, affine in (("network", network), ("closed form", least_squares(problem.train))):
            yield f"{title:<12} {name:>{label}} = {format_formula(problem, affine, index)}"


def format_formula(problem: Problem, affine: Affine, target: int) -> str:
    """Format one target as a sum over the inputs; constant inputs are part of the offset."""
    constant = problem.train.inputs.amin(0) == problem.train.inputs.amax(0)
    offset = float(affine.offset[target] + (affine.slopes[:, target] * problem.train.inputs[0])[constant].sum())
    terms = [
        f"{float(slope):.6g}·{name}"
        for name, slope, fixed in zip(problem.dataset.input_names, affine.slopes[:, target], constant, strict=True)
        if not fixed
    ]
    return " + ".join([*terms, f"{offset:.6g}"]).replace("+ -", "- ")
