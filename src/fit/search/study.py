"""The study of a search: kept in a database, and resumed only by a search of the same kind."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import optuna
from omegaconf import DictConfig, OmegaConf
from optuna.distributions import distribution_to_json
from optuna.exceptions import OptunaError
from optuna.storages import RDBStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from fit.errors import FitError
from fit.folder import RunFolder
from fit.search.space import Space

# What may change when a search is resumed, as it does not affect the trials' values.
CHANGEABLE = ("sweep", "logger", "trainer.accelerator", "trainer.num_threads")
# The attribute of a trial that failed by itself; one that was killed lacks it, and is tried again.
FAILURE = "failure"


@contextmanager
def open_study(config: DictConfig, storage: object, name: str, direction: str, space: Space) -> Iterator[Study]:
    """Open a new or resumed study for this process alone, and close its database at the end."""
    folder, resume = Path(config.hydra.sweep.dir), OmegaConf.select(config, "sweep.resume")
    place = find_storage(folder, resume, storage)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Otherwise a second search in this folder would give up the running trials of the first.
        with RunFolder(folder).locked(), connect_storage(place) as database:
            names = optuna.study.get_all_study_names(database)
            if resume is not None and name not in names:
                held = f"holds {', '.join(names)}" if names else "holds none"
                raise FitError(f"hydra.sweeper.study_name={name} is not a study that can be resumed: {place} {held}.")
            if name in names:
                study = optuna.load_study(study_name=name, storage=database)
                check_same_search(study, place, direction, study_attributes(config, space))
                fail_interrupted(study)
            else:
                toward = StudyDirection[direction.upper()]
                study = optuna.create_study(study_name=name, storage=database, direction=toward)
                for key, value in study_attributes(config, space).items():
                    study.set_user_attr(key, value)
            yield study
    finally:
        # A refused search leaves nothing behind; a folder that is not empty stays.
        with suppress(OSError):
            folder.rmdir()


def find_storage(folder: Path, resume: str | None, storage: object) -> str:
    """Return the database of the study; raise FitError if it is in use, or missing though the search is resumed."""
    if storage is not None:
        return str(storage)
    own = folder / "study.db"
    if resume is None and own.exists():
        raise FitError(
            f"hydra.sweep.dir={folder} already holds a search: give another folder, "
            f"or resume it with sweep.resume={folder}."
        )
    if resume is not None and not own.exists():
        raise FitError(f"sweep.resume={resume} is not the folder of a search: there is no study.db in it.")
    return str(own)


@contextmanager
def connect_storage(place: str) -> Iterator[RDBStorage]:
    """Open a database, given by its file or URL; raise FitError if that fails."""
    try:
        database = RDBStorage(place if "://" in place else f"sqlite:///{place}")
    # ImportError: its driver is not installed; RuntimeError: it was written by another version of Optuna.
    except (OptunaError, SQLAlchemyError, ImportError, RuntimeError) as error:
        raise storage_error(place, error) from None
    try:
        yield database
    except (OptunaError, SQLAlchemyError) as error:
        raise storage_error(place, error) from None
    finally:
        database.remove_session()
        database.engine.dispose()


def storage_error(place: str, error: Exception) -> FitError:
    """Return the error of a database."""
    cause = str(error.__cause__ or error).splitlines()[0].rstrip(".")
    return FitError(f"{place} cannot be read or written as the database of a search: {cause}.")


def study_attributes(config: DictConfig, space: Space) -> dict[str, Any]:
    """Return what must be equal for the values of two trials to be comparable."""
    return {
        "searched": {key: distribution_to_json(each) for key, each in space.searched.items()},
        "fixed": {key: line for key, line in space.fixed.items() if not key.lstrip("+~").startswith(CHANGEABLE)},
        "typed": space.typed,
        "metric": config.optimized_metric,
    }


def check_same_search(study: Study, place: str, direction: str, new: dict[str, Any]) -> None:
    """Raise FitError unless the study has the same space, metric and direction."""
    old = study.user_attrs
    if not new.keys() <= old.keys():
        raise FitError(f"hydra.sweeper.study_name={study.study_name} in {place} is not a study of fit: give another.")
    if old["metric"] != new["metric"]:
        raise FitError(f"optimized_metric={new['metric']} does not fit {place}, whose values are {old['metric']}.")
    if study.direction != StudyDirection[direction.upper()]:
        raise FitError(
            f"hydra.sweeper.direction={direction} does not fit {place}, "
            f"whose direction is {study.direction.name.lower()}."
        )
    for kind in ("searched", "fixed"):
        for key in [*old[kind], *new[kind]]:
            if old[kind].get(key) != new[kind].get(key):
                wanted = f"{key}={new['typed'][key]}" if key in new["typed"] else f"A search without {key}"
                there = f"are of {key}={old['typed'][key]}" if key in old["typed"] else f"are without {key}"
                raise FitError(f"{wanted} does not fit {place}, whose trials {there}.")


def fail_interrupted(study: Study) -> None:
    """Mark the trials that a kill left running as failed."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING)):
        study.tell(trial.number, state=TrialState.FAIL)


def finished_trials(study: Study) -> list[FrozenTrial]:
    """Return the trials with an outcome, including those that failed by themselves."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or FAILURE in trial.user_attrs
    ]
