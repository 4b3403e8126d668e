"""fit from Python: the same runs as by the command, arrays and DataFrames, and what comes back."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import fit as library
from fit.errors import FitError
from fit.model.stack import Stack
from fit.predict.__main__ import main as predict

QUICK = ("trainer.max_epochs=5", "data.points=30", "model.hidden=[6]", "logger=none")
LOG = ("data.targets={y: 'log(x)'}", "data.domain={x: [-1, 1]}")
AC = ("data.inputs=[a]", "data.targets=[c]")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def theta(folder):
    return torch.load(f"{folder}/checkpoints/last.ckpt", weights_only=True)["theta"]


def test_a_run_is_bitwise_that_of_the_command(fit):
    by_command = fit(*QUICK, "hydra.run.dir=typed")
    run = library.run(*QUICK, "hydra.run.dir=called")
    assert torch.equal(theta("typed"), theta("called"))
    assert run.metrics["val/rmse"] == by_command.metrics["val/rmse"]
    assert run.history["val/loss"][-1] == run.metrics["val/loss"]
    for name in (".hydra/config.yaml", ".hydra/overrides.yaml", "figures/fit.png", "train.log"):
        assert (run.folder / name).exists()


def test_what_is_predicted_is_what_was_measured():
    run = library.run(*QUICK, "hydra.run.dir=run", "trainer.max_epochs=60")
    x, y = np.random.default_rng(0).uniform(-15, 15, (2, 20000))
    wrong = run.predict({"x": x, "y": y})[:, 0] - (x**2 + y**2)
    assert np.sqrt(np.mean(wrong**2)) == pytest.approx(run.metrics["val/rmse"], rel=0.1)
    assert np.array_equal(
        run.predict(np.stack([x, y, np.ones_like(x)], 1)), run.predict(pd.DataFrame({"y": y, "x": x}))
    )
    again = library.load("run")
    assert np.array_equal(again.predict([[1.0, 2.0, 1.0]]), run.predict([[1.0, 2.0, 1.0]]))
    assert library.load("run", "best").predict([[1.0, 2.0, 1.0]]).shape == (1, 1)
    assert run.plot()._repr_png_()[:4] == b"\x89PNG"
    assert "val/rmse" in repr(run)
    assert "data:image/png" in run._repr_html_()
    (run.folder / "figures" / "fit.png").unlink()
    assert run._repr_html_() == f"<code>{run!r}</code>"


@pytest.mark.parametrize("committee", [(), ("ensemble=2",), ("cv=2",)])
def test_the_weights_that_were_asked_for_are_drawn(committee):
    # Steps as large as these do not end where they were best.
    library.run(*QUICK, *committee, "optimizer.lr=50", "scheduler=constant", "hydra.run.dir=run")
    last, best = (library.load("run", which).plot()._repr_png_() for which in ("last", "best"))
    assert last != best


def test_words_may_be_numbers_and_true_and_false():
    frame = pd.DataFrame({"k": [1, 2] * 20, "b": [True, True, False, False] * 10, "a": np.arange(40.0)})
    frame["c"] = frame.a + 100 * frame.k
    chosen = ("data.inputs=[k,b,a]", "data.targets=[c]", "data.categorical=[k,b]")
    run = library.run(*QUICK[:1], *QUICK[2:], *chosen, data=frame)
    by_word = frame.assign(k=frame.k.astype(str), b=frame.b.map({True: "true", False: "false"}))
    assert np.array_equal(run.predict(frame), run.predict(by_word))
    assert len(run.predict({"k": [2], "b": [False], "a": [1.0]})) == 1
    with pytest.raises(FitError, match="k holds 3"):
        run.predict(frame.assign(k=3))


def test_arrays():
    x = np.linspace(-1, 1, 200)
    run = library.run("logger=none", "trainer.max_epochs=60", data=(x, x**3))
    assert run.metrics["val/r2"] > 0.99
    assert run.predict(np.array([0.5])).shape == (1, 1)
    assert run.predict(x)[:, 0] == pytest.approx(x**3, abs=0.1)
    assert (run.folder / "data.npz").exists()


def test_a_data_frame():
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=300), "b": random.normal(size=300), "unused": "text"})
    frame["c"] = 2 * frame.a - frame.b
    chosen = ("data.inputs=[a,b]", "data.targets=[c]", "model=linear", "logger=none", "trainer.max_epochs=500")
    run = library.run(*chosen, data=frame)
    assert run.predict(pd.DataFrame({"b": [1.0], "a": [3.0]})) == pytest.approx(5.0, abs=1e-3)
    # The index of what is left of a frame is no input.
    rest = library.run("data.targets=[c]", *chosen[2:], data=frame.drop(columns="unused").query("a > -9").iloc[::-1])
    assert rest.predictor.inputs == ("a", "b")


def test_an_ensemble_knows_its_spread():
    run = library.run(*QUICK, "ensemble=4", "hydra.run.dir=run")
    mean, spread = run.predict([[1.0, 2.0, 1.0], [100.0, 0.0, 1.0]], return_std=True)
    each = np.stack([library.load(f"run/members/{k}").predict([[1.0, 2.0, 1.0]])[0] for k in range(4)])
    assert mean[0] == pytest.approx(each.mean(0))
    assert spread[0] == pytest.approx(each.std(0, ddof=1))
    assert spread[1] > spread[0]  # further away they agree less
    members = [library.load(f"run/members/{k}").history for k in range(4)]
    assert run.history["epoch"] == members[0]["epoch"]
    assert run.history["val/loss"] == pytest.approx(np.mean([each["val/loss"] for each in members], axis=0))


@pytest.mark.parametrize("several", [(), ("ensemble=2",), ("cv=2",)])
def test_the_checkpoint_that_was_loaded_is_drawn(several):
    run = library.run("data=expression", "data.targets={y: x}", "data.domain={x: [0, 1]}", *QUICK, *several)
    for path in run.folder.rglob("best.ckpt"):
        checkpoint = torch.load(path, weights_only=True)
        torch.save(checkpoint | {"theta": checkpoint["theta"] * 0}, path)  # answers the mean alone
    last, best = (library.load(run.folder, which).plot().axes[0].lines for which in ("last", "best"))
    line = 1 if several == ("cv=2",) else 2
    assert np.ptp(last[line].get_ydata()) > 0
    answers = best[line].get_ydata()
    assert np.ptp(answers) < (0.3 if several == ("cv=2",) else 1e-9)  # each fold has a mean of its own


def test_many_rows_are_computed_in_parts(monkeypatch):
    run, sizes, whole = library.run(*QUICK), [], Stack.forward
    monkeypatch.setattr(Stack, "forward", lambda *given: sizes.append(given[1].shape[1]) or whole(*given))
    inputs = np.random.default_rng(0).uniform(-9, 9, (40000, 3))
    assert run.predict(inputs).shape == (40000, 1)
    assert sum(sizes) == 40000
    assert max(sizes) < 20000
    assert run.predict(inputs[39999:]) == pytest.approx(run.predict(inputs)[39999:], rel=1e-6)
    assert run.predict(inputs[:0]).shape == (0, 1)


def test_what_has_diverged_is_not_predicted(capfd):
    run = library.run(*QUICK, "optimizer=sgd", "optimizer.lr=1e20", "hydra.run.dir=run")
    with pytest.raises(FitError, match="last checkpoint of run has diverged"):
        run.predict([[1.0, 2.0, 1.0]])
    capfd.readouterr()
    assert predict(["run", "x=1", "y=2"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "fit: The last checkpoint of run has diverged: give another run, or --checkpoint best.\n"
    assert predict(["run", "x=1", "y=2", "--checkpoint", "best"]) == 0
    assert np.isfinite(library.load("run", "best").predict([[1.0, 2.0, 1.0]])).all()


def test_quiet_is_quiet_but_for_the_log(capfd):
    run = library.run(*QUICK, verbose=False)
    assert capfd.readouterr() == ("", "")
    assert "always the mean" in (run.folder / "train.log").read_text()
    library.run(*QUICK)
    assert "always the mean" in capfd.readouterr().out


def test_torch_is_left_as_it_was():
    torch.set_num_threads(2)
    library.run(*QUICK)
    assert torch.get_num_threads() == 2


@pytest.mark.slow
def test_a_sweep_is_a_data_frame(capfd):
    # A function that says more than a pipe holds.
    Path("loud.py").write_text("import sys\ndef double(x):\n    sys.stderr.write('loud ' * 40000)\n    return 2 * x\n")
    loud = ("data=custom", "data.function=loud.double", "data.domain={x: [0, 1]}")
    table = library.run_sweep(*QUICK, *loud, "seed=0,1,-1", "sweep.figures=none")
    assert table["status"].tolist() == ["finished", "finished", "failed"]
    assert table["val/rmse"].notna().tolist() == [True, True, False]
    assert "3 jobs" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: library.run("optimizer.lr=0"), "optimizer.lr=0"),
        (lambda: library.run("nonsense=1"), "nonsense is not a setting"),
        (lambda: library.run("data=nothing"), "data=nothing does not exist"),
        (lambda: library.run_sweep("optimizer.ls=1,2"), "optimizer.ls is not a setting"),
        (lambda: library.load("nowhere"), "nowhere is not a run folder"),
        (lambda: library.run(data=(["a"], ["b"])), "cannot be read as numbers"),
        (lambda: library.run(data=([1j], [1.0])), "The inputs cannot be read as numbers"),
        (lambda: library.run(data=([1.0], [1.0], [1.0])), "data is not a pair"),
        (lambda: library.run(data=3.0), "data is not a pair"),
        (lambda: library.run(data=(1.0, 2.0)), "The inputs have the shape []"),
        (lambda: library.run(data=([1.0], [])), "The targets have the shape [0]"),
        (lambda: library.run(data=([1.0, 2.0], [1.0])), "2 rows of inputs and 1 of targets"),
        (lambda: library.run(*AC, data=pd.DataFrame({"a": [1, "x"], "c": [1, 2]})), "The DataFrame cannot be written"),
        (lambda: library.run(*AC, data=pd.DataFrame({"a": [1, 2], "b": [1, 2]})), "c is not a column"),
        (lambda: library.run("data=expression", *LOG), "not finite"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(call, words):
    with pytest.raises(FitError) as told:
        call()
    assert words in str(told.value)
    assert "\n" not in str(told.value)
    assert not [path for path in Path().rglob("*") if path.is_file() or path.parent.parent.parent.name == "runs"]


def test_points_that_cannot_be_are_refused_in_a_sentence():
    run = library.run(*QUICK)
    for points, words in (
        ([[1.0, 2.0]], "give [rows, 3]"),
        ({"x": [1.0]}, "The input lacks the column y"),
        ({"x": [1.0, 2.0], "y": 2.0}, "x [2], y [1]"),
        ({"x": [[1.0]], "y": [[2.0]]}, "give [rows] for each"),
        ([[1j, 1, 1]], "The inputs cannot be read as numbers"),
    ):
        with pytest.raises(FitError) as told:
            run.predict(points)
        assert words in str(told.value)
    with pytest.raises(FitError, match="ensemble=10"):
        run.predict([[1.0, 2.0, 1.0]], return_std=True)
    assert run.predict([]).shape == run.predict({"x": [], "y": []}).shape == (0, 1)


def test_a_name_that_lacks_its_library_is_not_listed():
    code = """if True:
        import sys
        from importlib.machinery import PathFinder
        class Without(PathFinder):
            @classmethod
            def find_spec(cls, name, path=None, target=None):
                return None if name.split(".")[0] == "sklearn" else PathFinder.find_spec(name, path, target)
        sys.meta_path[:] = [each for each in sys.meta_path if each is not PathFinder] + [Without]
        import fit, inspect
        assert not hasattr(fit, "FitRegressor")
        assert "FitRegressor" not in dict(inspect.getmembers(fit))
        from fit import *
        try:
            fit.FitRegressor
        except fit.FitError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    told = "fit.FitRegressor needs scikit-learn: pip install '.[sklearn]' in the clone of fit.\n"
    assert (done.stdout, done.stderr) == (told, "")


def test_import_is_light_and_help_is_there():
    code = "import sys, fit; fit.__doc__; assert not {'torch', 'hydra', 'numpy'} & set(sys.modules); print(dir(fit))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "run_sweep" in done.stdout
    assert "fit.run(" in library.__doc__
