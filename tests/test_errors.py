"""What went wrong is told as what it is, not as something else that often goes wrong."""

import errno
import sys
from importlib import import_module
from pathlib import Path

import pytest

import fit as library
from fit.errors import FitError, as_sentence, missing_extra

QUICK = ("data=xy_ring", "logger=none", "trainer.max_epochs=1")
SWEEP = ("-m", *QUICK, "seed=0,1", "hydra.sweep.dir=s", "sweep.figures=none")


def broken(error):
    """Return a function that raises."""

    def function(*arguments, **settings):
        raise error

    return function


@pytest.mark.parametrize(
    "place",
    [
        "fit.sweep.guard.prepare_folder",
        "fit.sweep.grid.run_grid",
        "fit.hydra_adapter.loader.QuickLoader.load_sweep_config",
        "fit.sweep.launch.launch",
        "fit.sweep.launch.group_jobs",
        "fit.sweep.results.report.SweepTable",
        "fit.hydra_adapter.guard.Guard.prepare_folder",
    ],
)
def test_what_ends_a_sweep_or_a_run_says_its_own_name(fit, capfd, monkeypatch, tmp_path, place):
    owner, _, name = place.rpartition(".")
    module, _, kind = owner.rpartition(".") if owner.endswith(("QuickLoader", "Guard")) else (owner, "", "")
    owner = getattr(import_module(module), kind) if kind else import_module(module)
    monkeypatch.setattr(owner, name, broken(ImportError("cannot import name run_job")))
    try:
        done = fit(*(QUICK if kind == "Guard" else SWEEP))
        assert done.code == 1
        told = done.err
    except ImportError as error:  # with its traceback, where nothing of Hydra's is in the way
        told = f"ImportError: {error}"
    assert "ImportError: cannot import name run_job" in told
    assert "cannot be read or written" not in told
    if not list(tmp_path.glob("s/*/.hydra")):  # before a job was begun
        assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("launcher", ["stacked", "basic"])
def test_what_ends_a_job_stands_in_the_table(fit, monkeypatch, launcher):
    monkeypatch.setattr("fit.fitting.build_module", broken(KeyError("abc")))
    done = fit(*SWEEP, f"hydra/launcher={launcher}")
    assert done.code == 1
    assert "failed: s/0: KeyError: 'abc'" in done.out


def test_a_sweep_refused_in_a_folder_of_other_things_says_why(fit, tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "notes.txt").touch()
    done = fit(*SWEEP, "hydra.launcher.max_members=0")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "hydra.launcher.max_members=0 is not allowed" in done.err
    assert [path.name for path in (tmp_path / "s").iterdir()] == ["notes.txt"]


def test_a_sweep_from_python_that_breaks_says_how(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sitecustomize.py").write_text("import fit.sweep.grid\nfit.sweep.grid.run_grid = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="TypeError: 'NoneType' object is not callable"):
        library.run_sweep(*QUICK, "seed=0,1")


def test_a_plugin_that_hydra_cannot_import_says_why(monkeypatch):
    from hydra.errors import MissingConfigException

    from fit.hydra_adapter.command import describe_error

    monkeypatch.setitem(sys.modules, "hydra_plugins.fit_launcher.launcher", None)
    told = describe_error(MissingConfigException("", missing_cfg_file="hydra/launcher/stacked"))
    assert told.startswith("hydra/launcher=stacked cannot be imported: ModuleNotFoundError: ")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file", "a.csv"), "a.csv cannot be read or written: No such file."),
        (OSError(errno.ENOSPC, "No space left on device"), "A file of the run cannot be read or written: No space "),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "ConnectionRefusedError: "),
        (ChildProcessError(errno.ECHILD, "No child processes"), "ChildProcessError: "),
        (ImportError("cannot import name x"), "ImportError: cannot import name x"),
    ],
)
def test_only_files_are_told_as_files(error, told):
    assert as_sentence(error).startswith(told)


def test_a_library_that_is_broken_is_not_told_as_missing(fit, tmp_path, monkeypatch):
    missing = missing_extra("X", "ray", ModuleNotFoundError("No module named 'ray'", name="ray"))
    assert str(missing) == "X needs Ray: pip install '.[ray]' in the clone of fit."
    for error in (ModuleNotFoundError("No module named 'attr'", name="attr"), ImportError("libarrow.so: no version")):
        told = str(missing_extra("X", "ray", error))
        assert "pip install" not in told
        assert str(error) in told
    # An installed library that raises when it is imported.
    (tmp_path / "onnxscript.py").write_text("raise ImportError('of another version')")
    run = fit(*QUICK)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [each for each in sys.modules if each.partition(".")[0] == "onnxscript"]:
        monkeypatch.delitem(sys.modules, name)
    from fit.export.__main__ import export

    with pytest.raises(FitError, match="cannot be imported: ImportError: of another version"):
        export(run.folder, "onnx", None, "last")


def test_a_file_that_may_not_be_read_is_not_told_as_damaged_or_missing(fit, monkeypatch):
    run = fit(*QUICK)
    opened = Path.open

    def refuse(path, *arguments, **settings):
        if path.name == "last.ckpt":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        done = fit(f"resume={run.folder}", "trainer.max_epochs=2")
        assert done.code == 2
        assert "last.ckpt cannot be read or written: Permission denied." in done.err
        with pytest.raises(PermissionError):
            library.load(run.folder)
    (run.folder / "metrics.json").unlink()
    (run.folder / "metrics.json").mkdir()
    with pytest.raises(IsADirectoryError):  # not: the run has not ended
        library.load(run.folder)
    assert "data.path=none.npz cannot be read: No such file" in fit("data=arrays", "data.path=none.npz").err
