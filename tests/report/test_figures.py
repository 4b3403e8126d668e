"""The figures of a run: every target is drawn or counted, what is not finite is said, nothing is hidden."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import fit as library
from fit.data.datasets.expression import Expression
from fit.report.drawing import Drawing
from fit.report.figures import draw_fit
from fit.report.loss import draw_loss
from fit.report.style import to_png

LINE = {"a": [-1, 1]}
PLANE = {"a": [-1, 1], "b": [0, 2]}
SPACE = PLANE | {"c": [0, 1]}


def drawn(targets, domain, spread=False, wrong=0.0, points=50, rendered=True):
    data = Expression(targets=targets, domain=domain, points=points)
    train, rows = data.rows(), data.drawn()
    deviation = torch.ones_like(rows.targets) if spread else None
    figure = draw_fit(Drawing(data, train, rows, rows.targets + wrong, deviation, train.targets + wrong))
    assert not rendered or to_png(figure).startswith(b"\x89PNG")  # any warning is an error
    return figure


def titles(figure):
    return [panel.get_title() for panel in figure.axes if panel.get_title()]


def listed(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def said(panel):
    return [text.get_text() for text in panel.texts]


@pytest.mark.parametrize("spread", [False, True])
def test_every_target_has_its_maps(spread):
    figure = drawn({"u": "a*b", "v": "1000*a"}, PLANE, spread)
    row = ["fit", "fit − truth", *(["standard deviation"] if spread else [])]
    assert titles(figure) == ["truth, u", *row, "truth, v", *row]
    maps = [panel.images[0].get_array() for panel in figure.axes if panel.get_title() == "fit"]
    assert [float(abs(values).max()) for values in maps] == pytest.approx([2, 1000], rel=0.05)
    assert figure.texts == []
    assert listed(figure) == ["training rows"]


def test_maps_stand_at_even_distances():
    panels = [panel for panel in drawn({"u": "a", "v": "b"}, PLANE).axes if panel.get_title()]
    places = [panel.get_position() for panel in panels]
    lefts, bottoms = (sorted({round(getattr(place, end), 6) for place in places}) for end in ("x0", "y0"))
    assert (len(lefts), len(bottoms)) == (3, 2)
    assert np.ptp(np.diff(lefts)) < 1e-5


def test_a_colour_bar_has_an_arrow_where_the_fit_goes_beyond_the_truth():
    for wrong, ends in ((0.0, "neither"), (1.0, "max"), (-1.0, "min")):
        panels = drawn({"u": "a"}, PLANE, wrong=wrong).axes
        shown = next(panel for panel in panels if panel.get_title() == "fit")
        assert shown.images[0].colorbar.extend == ends


@pytest.mark.parametrize(("domain", "shown", "panels"), [(PLANE, 6, 36), (LINE, 12, 24), (SPACE, 12, 12)])
def test_targets_that_are_left_out_are_counted(domain, shown, panels):
    figure = drawn({f"y{number}": f"{number}+a" for number in range(14)}, domain, rendered=False)
    assert len(figure.axes) == panels  # a colour bar beside each map, errors below each curve
    told = f"{14 - shown} more targets not drawn; all of them are in metrics.json"
    assert [text.get_text() for text in figure.texts] == [told]


@pytest.mark.parametrize("domain", [LINE, PLANE, SPACE])
def test_a_fifth_target_is_drawn(domain):
    figure = drawn({f"y{number}": f"{number}+a" for number in range(5)}, domain, rendered=False)
    names = [*titles(figure), *(panel.get_ylabel() for panel in figure.axes)]
    assert any("y4" in name for name in names)
    assert figure.texts == []


def test_errors_stand_below_a_curve_that_no_dots_hide():
    figure = drawn({"y": "2*a"}, LINE, wrong=0.25, points=3000)
    panel, below = figure.axes
    assert (panel.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == ("y", "fit − target", "a")
    assert panel.get_xlim() == below.get_xlim()
    lines = {line.get_label(): line for line in panel.lines}
    assert all(lines["fit"].get_zorder() > lines[other].get_zorder() for other in ("training rows", "truth"))
    assert lines["training rows"].get_alpha() < 0.5
    assert [len(line.get_ydata()) for line in below.lines[1:]] == [3000, len(lines["fit"].get_ydata())]
    assert all(np.allclose(line.get_ydata(), 0.25) for line in below.lines[1:])
    few = drawn({"y": "2*a"}, LINE, points=8).axes[0].lines[0]
    assert few.get_markersize() > lines["training rows"].get_markersize()
    assert listed(figure) == ["training rows", "truth", "fit"]


def test_predictions_against_targets_have_equal_axes_and_their_errors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, 60))
    frame = pd.DataFrame({"a": a, "b": b, "big": 1000 * a * b, "small": a - b})
    chosen = ("data.inputs=[a,b]", "data.targets=[big,small]", "trainer.max_epochs=1", "logger=none")
    run = library.run(*chosen, "model.hidden=[4]", data=frame)
    figure = run.plot()
    for panel, name in zip(figure.axes, ("big", "small"), strict=True):
        measured = run.metrics["targets"][name]
        title, errors = panel.get_title().splitlines()
        assert title == name
        assert errors.startswith(f"val: RMSE {measured['val/rmse']:.4g}, R² ")
        assert float(errors.rpartition(" ")[2].replace("−", "-")) == pytest.approx(measured["val/r2"], abs=1e-6)
        assert panel.get_xlim() == panel.get_ylim()
        assert {line.get_label(): len(line.get_xdata()) for line in panel.lines} == {
            "identity": 2,
            "training rows": 48,
            "val rows": 12,
        }
    assert figure.axes[1].get_xlim()[1] < 3 < 100 < figure.axes[0].get_xlim()[1]
    assert listed(figure) == ["identity", "training rows", "val rows"]


def test_held_out_points_are_those_judged_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = ("data=expression", "data.targets={y: a*b+c}", "data.domain={a: [0, 1], b: [0, 1], c: [0, 1]}")
    quick = ("trainer.max_epochs=1", "model.hidden=[4]", "logger=none", "data.points=40", "data.val_fraction=0.25")
    run = library.run(*data, *quick)
    (panel,) = run.plot().axes
    assert f"RMSE {run.metrics['val/rmse']:.4g}," in panel.get_title()


@pytest.mark.parametrize(("domain", "places"), [(LINE, 2), (PLANE, 2), (SPACE, 1)])
def test_what_is_not_finite_is_said_and_not_listed(domain, places):
    for wrong, count in ((0.0, 0), (math.nan, places)):
        figure = drawn({"y": "2*a"}, domain, wrong=wrong)
        assert sum("not finite" in word for panel in figure.axes for word in said(panel)) == count
        assert bool({"fit", "val rows"} & set(listed(figure))) is (count == 0 and domain is not PLANE)
    if domain is PLANE:
        assert len(figure.axes) == 4  # no colour bar of nothing


def look(epoch, train, val):
    return {"epoch": epoch, "train/loss": train, "val/loss": val, "train/pass_loss": train}


def loss(*arguments, **named):
    figure = draw_loss(*arguments, **named)
    assert to_png(figure).startswith(b"\x89PNG")
    (panel,) = figure.axes
    return figure, panel, {line.get_label(): line for line in panel.lines}


def test_a_run_that_diverged_at_once_shows_where():
    _, panel, lines = loss([look(0, 1.0, 0.9), look(3, math.nan, math.inf)], diverged=3)
    assert lines["not finite from epoch 3 on"].get_xdata()[0] == 3
    assert panel.get_xlim()[0] < 0 < 3 < panel.get_xlim()[1]
    assert lines["val/loss"].get_marker() == "o"  # a single look is no line
    _, panel, _ = loss([look(0, math.nan, math.nan)], diverged=0)
    assert said(panel) == ["loss not finite"]


@pytest.mark.parametrize("last", [0.97, 0.5, 0.2, 1e-2, 1e-9])
def test_a_loss_has_several_labels_however_little_it_falls(last):
    _, panel, _ = loss([look(0, 1.0, 1.0), look(1, last, last)])
    low, high = panel.get_ylim()
    ticks = dict(zip(panel.get_yticks(), (tick.get_text() for tick in panel.get_yticklabels()), strict=True))
    assert sum(low <= place <= high and bool(label) for place, label in ticks.items()) >= 3


def test_the_first_drop_and_the_floor_are_drawn_for_what_they_are():
    passes = [{"epoch": epoch, "train/pass_loss": 0.5**epoch} for epoch in range(1, 10)]
    _, _, lines = loss([look(0, 1.0, 1.0), look(10, 1e-3, 1e-3)], passes, floor=5e-4)
    assert lines["train/pass_loss"].get_xdata().tolist() == list(range(11))
    assert lines["lowest possible train/loss, 0.0005"].get_color() == lines["train/loss"].get_color()


def test_passes_before_the_first_look_are_kept(fit):
    quick = ("data.points=32", "model.hidden=[4]", "logger=none", "data.batch_size=8", "scheduler=constant")
    every = fit(*quick, "trainer.max_epochs=12", "trainer.check_val_every_n_epoch=1", "hydra.run.dir=every")
    some = fit(*quick, "trainer.max_epochs=12", "trainer.check_val_every_n_epoch=10", "hydra.run.dir=some")
    shown = {row["epoch"]: row["train/pass_loss"] for row in every.history}
    lines = (some.folder / "passes.csv").read_text().splitlines()
    assert lines[0] == "epoch,train/pass_loss"
    assert {float(epoch): float(value) for epoch, value in (line.split(",") for line in lines[1:])} == {
        epoch: shown[epoch] for epoch in range(1, 10)
    }
    assert not (every.folder / "passes.csv").exists()
    assert torch.equal(every.checkpoint()["theta"], some.checkpoint()["theta"])
    fit(*quick, "trainer.max_epochs=5", "trainer.check_val_every_n_epoch=10", "hydra.run.dir=part")
    fit("resume=part", "trainer.max_epochs=12")
    assert Path("part/passes.csv").read_text().splitlines() == lines
