"""The study that a search left, read by Optuna itself."""

import optuna
from optuna.storages import InMemoryStorage, RDBStorage


def read_study(path, name="fit"):
    """Return a copy of a study in memory: a database left open is a warning from Python 3.13 on."""
    database, memory = RDBStorage(f"sqlite:///{path}"), InMemoryStorage()
    try:
        optuna.copy_study(from_study_name=name, from_storage=database, to_storage=memory)
    finally:
        database.remove_session()
        database.engine.dispose()
    return optuna.load_study(study_name=name, storage=memory)
