"""The figure of a fit: every target is drawn, and what is left out is said."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

import fit as library
from fit.data.expression import Expression
from fit.report.drawing import Drawing
from fit.report.figures import draw_fit
from fit.report.style import to_png

PLANE = {"a": [-1, 1], "b": [0, 2]}


def drawn(targets, domain, spread=False, wrong=0.0):
    data = Expression(targets=targets, domain=domain, points=50)
    rows = data.drawn()
    figure = draw_fit(
        Drawing(data, data.rows(), rows, rows.targets + wrong, torch.ones_like(rows.targets) if spread else None)
    )
    assert to_png(figure).startswith(b"\x89PNG")  # any warning is an error
    return figure


def titles(figure):
    return [panel.get_title() for panel in figure.axes if panel.get_title()]


@pytest.mark.parametrize("spread", [False, True])
def test_every_target_has_its_maps(spread):
    figure = drawn({"u": "a*b", "v": "1000*a"}, PLANE, spread)
    row = ["fit", "fit - truth", *(["standard deviation"] if spread else [])]
    assert titles(figure) == ["truth, u", *row, "truth, v", *row]
    maps = [panel.collections[0].get_array() for panel in figure.axes if panel.get_title() == "fit"]
    assert [float(abs(values).max()) for values in maps] == pytest.approx([2, 1000], rel=0.05)
    assert figure.texts == []


@pytest.mark.parametrize(("domain", "shown"), [(PLANE, 4), ({"a": [-1, 1]}, 6), (PLANE | {"c": [0, 1]}, 4)])
def test_targets_that_are_left_out_are_counted(domain, shown):
    figure = drawn({f"y{number}": f"{number}+a" for number in range(8)}, domain)
    assert [text.get_text() for text in figure.texts] == [f"… and {8 - shown} more targets"]


def test_a_table_of_several_targets_has_a_panel_for_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, 60))
    frame = pd.DataFrame({"a": a, "b": b, "big": 1000 * a * b, "small": a - b})
    chosen = ("data.inputs=[a,b]", "data.targets=[big,small]", "trainer.max_epochs=1", "logger=none")
    figure = library.run(*chosen, "model.hidden=[4]", data=frame).plot()
    big, small = figure.axes
    assert titles(figure) == ["big", "small"]
    assert small.get_xlim()[1] < 3 < 100 < big.get_xlim()[1]


@pytest.mark.parametrize("domain", [{"a": [-1, 1]}, PLANE | {"c": [0, 1]}])
def test_a_fit_that_is_not_there_is_not_listed(domain):
    for wrong, listed in ((0.0, True), (math.nan, False)):
        (panel,) = drawn({"y": "2*a"}, domain, wrong=wrong).axes
        labels = {text.get_text() for text in panel.get_legend().get_texts()}
        assert bool(labels & {"fit", "rows not trained on"}) is listed
