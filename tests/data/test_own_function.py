"""data=expression and data=custom, by the command: sampling, ranges, names, and what is refused."""

import numpy as np
import pytest
import torch
import yaml

from fit.api import load
from fit.data.datasets.expression import Expression

QUICK = ("trainer.max_epochs=3", "model.hidden=[4]", "logger=none")
WAVE = ("data=expression", "data.targets={wave: 'sin(3*x)', bump: '1/(1+x**2)'}", "data.domain={x: [-3, 3]}")


def rows(**settings):
    return Expression(**{"targets": {"y": "x"}, "domain": {"x": [-1, 3]}, "points": 64} | settings).rows()


def test_names_and_errors_target_by_target(fit):
    done = fit(*WAVE, "trainer.max_epochs=60", "logger=none")
    assert done.code == 0, done.err
    assert set(done.metrics["targets"]) == {"wave", "bump"}
    assert done.metrics["targets"]["bump"]["val/r2"] > 0.99
    assert "x in [-2.9" in done.out


def test_a_polynomial_has_its_closed_form(fit):
    typed = ("data=expression", "data.targets={y: '3*a - 2*b + 1'}", "data.domain={a: [0, 1], b: [-5, 5]}")
    done = fit(*typed, "model=linear", "logger=none", "trainer.max_epochs=150", "optimizer.lr=0.05")
    assert "y = 3·a - 2·b + 1" in done.out
    assert done.metrics["val/max_error"] < 1e-3


def test_uniform_and_sobol_fill_the_domain():
    for sampling, worst in (("uniform", 0.25), ("sobol", 0.03)):
        x = rows(sampling=sampling, points=256).inputs[:, 0].sort().values
        assert -1 <= x.min() <= x.max() <= 3
        even = torch.linspace(-1, 3, 256, dtype=torch.float64)
        assert (x - even).abs().max() < worst * 4 / 4
    assert len({float(each) for each in rows(sampling="sobol", seed=0).inputs[:, 0]}) == 64
    assert not torch.equal(rows(sampling="sobol", seed=0).inputs, rows(sampling="sobol", seed=1).inputs)


def test_grids():
    even = rows(sampling="grid", points=9).inputs[:, 0]
    assert even.tolist() == pytest.approx(np.linspace(-1, 3, 9).tolist())
    nodes = rows(sampling="chebyshev", points=7).inputs[:, 0]
    assert nodes.sort().values.tolist() == pytest.approx(sorted(1 + 2 * np.polynomial.chebyshev.chebpts1(7)))
    square = Expression(targets={"z": "x*y"}, domain={"x": [0, 1], "y": [0, 2]}, points=25, sampling="grid")
    assert len(square.rows().inputs) == 25
    assert square.notes == ()
    assert "there are 25" in Expression(targets={"z": "x"}, domain=square.domain, points=24, sampling="grid").notes[0]


def test_logarithmic_ranges_and_their_axis(fit):
    x = rows(domain={"x": [1e-3, 1e3, "log"]}, points=4000).inputs[:, 0]
    assert float(x.log10().mean()) == pytest.approx(0, abs=0.1)
    assert float((x < 1).double().mean()) == pytest.approx(0.5, abs=0.05)
    for domain in ("{f: [1e-3, 1e3, log]}", "{f: [1e-3, 1e3, log], a: [0, 1]}"):
        done = fit("data=expression", "data.targets={z: 'log10(f)'}", f"data.domain={domain}", *QUICK)
        assert done.code == 0, done.err
        figure = load(done.folder).plot()
        assert {axes.get_xscale() for axes in figure.axes if axes.get_xlabel() == "f"} == {"log"}
        assert {axes.get_yscale() for axes in figure.axes} == {"linear"}


def test_a_pole_between_the_points_is_left_out_of_the_figure(fit):
    typed = ("data=expression", "data.targets={z: 'sin(hypot(x,y))/hypot(x,y)'}")
    done = fit(*typed, "data.domain={x: [-10,10], y: [-10,10]}", *QUICK)
    assert (done.code, done.err) == (0, "")
    images = [axes.images[0] for axes in load(done.folder).plot().axes[:3]]
    assert [int(np.ma.getmaskarray(each.get_array()).sum()) for each in images] == [1, 0, 1]
    for image in (images[0], images[2]):
        assert image.get_clim()[1] == pytest.approx(np.abs(image.get_array()).max())
    assert fit(*typed[:1], "data.targets={y: 1/x}", "data.domain={x: [-1, 1]}", *QUICK).code == 0


def test_no_point_lies_outside_of_its_range(fit):
    wide = "data.domain={f: [1, 10, log]}"
    done = fit("data=expression", "data.targets={y: 'sqrt(10-f)'}", wide, "data.sampling=grid", *QUICK)
    assert (done.code, done.err) == (0, "")


def test_noise_is_on_training_rows_alone():
    clean, noisy = rows(), rows(noise=0.5)
    assert torch.equal(clean.inputs, noisy.inputs)
    assert float((noisy.targets - clean.targets).std()) == pytest.approx(0.5, rel=0.3)
    fresh = Expression(targets={"y": "x"}, domain={"x": [-1, 3]}, noise=0.5).fresh()["val"]
    assert torch.equal(fresh.inputs, fresh.targets)


def test_a_sweep_over_noise_shares_a_stack(fit):
    done = fit("-m", *WAVE, *QUICK, "data.noise=0,0.1", "sweep.figures=none")
    assert "2 jobs in 1 stack, into" in done.out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("data.targets={y: 'log(x)'}",), "data.targets.y=log(x) is not finite for"),
        (("data.targets={y: 'log(x)'}",), "the first at x=-"),
        (("data.targets={y: '__import__(1)'}",), "is not allowed"),
        (("data.targets={y: 'sin(z)'}",), "not one of the inputs x"),
        (("data.targets={}",), "data.targets={} is not allowed"),
        (("data.targets={x: x*2}",), "x is among data.domain and data.targets"),
        (("data.targets={y: x*1e-150}",), "y spans"),
        (("data.domain={x: [3, -3]}",), "data.domain={x: [3, -3]} is not allowed"),
        (("data.domain={x: [-3, 3, log]}",), "give a range for each input"),
        (("data.domain={x: 3}",), "data.domain={x: 3} is not allowed"),
        (("data.sampling=sobel",), "did you mean sobol"),
        (
            ("data.domain={x: [0,1],b: [0,1],c: [0,1],d: [0,1],f: [0,1]}", "data.sampling=grid", "data.points=7"),
            "2^5 rows",
        ),
    ],
)
def test_what_cannot_be_is_refused(fit, tmp_path, more, words):
    typed = {each.split("=")[0] for each in more}
    needed = [each for each in ("data.targets={y: x}", "data.domain={x: [-3, 3]}") if each.split("=")[0] not in typed]
    done = fit("data=expression", *QUICK, *needed, *more)
    assert done.code == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert not list(tmp_path.rglob("config.yaml"))


def test_what_has_to_be_given_is_named(fit):
    assert "data.targets is missing: give names with formulas" in fit("data=expression").err
    assert "data.domain is missing" in fit("data=expression", "data.targets={y: x}").err
    assert "data.function is missing" in fit("data=custom", "data.domain={x: [0, 1]}").err


STACKABLE = "data.function=own_functions.paraboloid"


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_functions.py").write_text(
        "import torch\n"
        "def paraboloid(x):\n    return x.square().sum(1)\n"
        "def both(x):\n    return torch.stack([x[:, 0], 2 * x[:, 0]], 1)\n"
        "def scalar(x):\n    return x.sum()\n"
        "def broken(x):\n    raise KeyError('oh')\n"
        "def leaving(x):\n    raise SystemExit(7)\n"
        "def inside(x):\n    assert x.min() >= 5\n    return x\n"
        "def spoiling(x):\n    y = 2 * x[:, 0]\n    x.zero_()\n    return y\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_a_function_of_ones_own(fit, own):
    typed = ("data=custom", "data.domain={a: [-1, 1], b: [-1, 1]}", "logger=none")
    done = fit(*typed, STACKABLE, "trainer.max_epochs=60")
    assert done.metrics["val/r2"] > 0.999
    two = fit(*typed, *QUICK, "data.function=own_functions.both", "data.targets=[once, twice]")
    assert set(two.metrics["targets"]) == {"once", "twice"}
    assert set(fit(*typed, *QUICK, "data.function=own_functions.both").metrics["targets"]) == {"y1", "y2"}


def test_a_function_is_called_in_its_domain_alone(fit, own):
    done = fit("data=custom", "data.domain={a: [5, 6]}", "data.function=own_functions.inside", *QUICK)
    assert (done.code, done.err) == (0, "")


def test_a_function_that_changes_what_it_is_given_changes_no_data(fit, own):
    done = fit("data=custom", "data.domain={a: [5, 6]}", "data.function=own_functions.spoiling", *QUICK)
    assert 5 <= float(done.checkpoint()["low"]) < float(done.checkpoint()["high"]) <= 6


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("own_functions.scalar", "returns [] for"),
        ("own_functions.broken", "failed: KeyError: 'oh'"),
        ("own_functions.leaving", "failed: SystemExit: 7"),
        ("own_functions.number", "is not a function"),
        ("own_functions.nothing", "cannot be imported"),
        ("no_such_module.f", "cannot be imported"),
        ("nodots", "data.function=nodots is not allowed"),
    ],
)
def test_functions_that_cannot_be_used(fit, own, function, words):
    done = fit("data=custom", "data.domain={a: [-1, 1]}", *QUICK, f"data.function={function}")
    assert done.code == 2
    assert words in done.err
    assert "Traceback" not in done.err


def test_an_input_is_no_target(fit, own):
    arguments = ("data=custom", "data.domain={y: [-1, 1]}", "data.function=own_functions.paraboloid", *QUICK)
    for more, default in (((), " (y where none is given)"), (("data.targets=[y]",), "")):
        done = fit(*arguments, *more)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert f"y is among data.domain and data.targets{default}: it can only be one of them." in done.err
    assert fit(*arguments, "data.targets=[z]").code == 0


def test_a_stored_function_is_run_only_if_typed_again(fit, own):
    done = fit("data=custom", "data.domain={a: [-1, 1]}", *QUICK, STACKABLE)
    refused = fit(f"resume={done.folder}", "trainer.max_epochs=4")
    assert refused.code == 2
    assert f"names code to be run, {STACKABLE}: type +{STACKABLE} as well if you trust it" in refused.err
    assert fit(f"resume={done.folder}", "trainer.max_epochs=4", f"+{STACKABLE}").code == 0
    assert yaml.safe_load((done.folder / ".hydra" / "config.yaml").read_text())["trainer"]["max_epochs"] == 4
