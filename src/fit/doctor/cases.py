"""Cases of runs: of one that has just ended, or of one stored in its folder."""

from collections.abc import Mapping

from omegaconf import DictConfig

from fit.data.problem import build_dataset, pose
from fit.doctor.case import Case
from fit.doctor.settings import Settings
from fit.errors import FitError
from fit.folder import RunFolder
from fit.training.checkpoint import check_rows, load
from fit.training.module import StackModule
from fit.training.run import Run
from fit.training.update import member_state

# A diagnosis may take this many seconds or, if that is more, this fraction of the training time.
LEAST_TIME_LIMIT = 0.5
PART_OF_TRAINING = 0.1


def case_of_run(run: Run, module: StackModule, metrics: Mapping[str, object], runs_in_stack: int) -> Case:
    """Return the case of a run that has just ended; the `runs_in_stack` share one diagnosis time limit."""
    theta = module.stack.theta
    return Case(
        Settings.of(run.cfg),
        run.problem,
        theta.data[run.member].cpu().double().clone(),
        member_state(module.engine.optimizer.state[theta], theta, run.member),
        run.folder.read_history(),
        metrics,
        time_limit=time_limit_for(metrics) / runs_in_stack,
    )


def case_of_folder(folder: RunFolder, cfg: DictConfig) -> Case:
    """Return the case of a stored run; raise FitError if it has not finished or cannot be read."""
    metrics = folder.read_metrics()
    if not metrics or not folder.last.exists():
        raise FitError(
            f"{folder.path} has not finished, or its metrics.json or last.ckpt is damaged: "
            f"resume it with python -m fit.train resume={folder.path}."
        )
    checkpoint, problem = load(folder.last), pose(build_dataset(cfg.data))
    check_rows(checkpoint, problem, folder.last)
    return Case(
        Settings.of(cfg),
        problem,
        checkpoint["theta"].double(),
        checkpoint["optimizer"],
        folder.read_history(),
        metrics,
        time_limit=time_limit_for(metrics),
    )


def time_limit_for(metrics: Mapping[str, object]) -> float:
    """Return how many seconds a diagnosis may take."""
    return max(LEAST_TIME_LIMIT, PART_OF_TRAINING * float(str(metrics["seconds/fit"])))
