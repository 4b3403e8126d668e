from itertools import product
from math import inf, nan

import numpy as np
import pytest
from matplotlib.colors import LogNorm, to_rgba

from fit.messages import format_value
from fit.report.style import FIT, to_png
from fit.sweep.results.figure_data import format_label
from fit.sweep.results.figures import Point, draw_sweep

RATES = [1e-4, 1e-3, 1e-2, 1e-1]


def sweep(errors, **keys):
    """Make a setting for each combination of values, with its errors in turn."""
    return [
        Point(dict(zip(keys, values, strict=True)), row)
        for values, row in zip(product(*keys.values()), errors, strict=True)
    ]


def draw(settings, error="val/rmse"):
    figure = draw_sweep(settings, error)
    assert to_png(figure).startswith(b"\x89PNG")  # any warning is an error
    return figure


def found(panel, name):
    return [artist for artist in panel.get_children() if artist.get_label() == name]


def points(panel, name):
    """The finite points of the lines of a name."""
    xy = np.concatenate([line.get_xydata() for line in found(panel, name)])
    return xy[np.isfinite(xy).all(1)].tolist()


def texts(panel):
    return [shown.get_text() for shown in panel.texts if shown.get_text().strip()]


def told(figure):
    return figure.texts[0].get_text()


@pytest.mark.parametrize(
    "settings",
    [
        [],
        [Point({"lr": 0.1}, [0.5])],
        [Point({}, [0.5]), Point({}, [0.6])],
        sweep([[0.5], [0.6]], lr=[0.1, 0.1]),
        sweep([[nan], []], lr=[0.1, 0.2]),
    ],
)
def test_nothing_to_draw(settings):
    assert draw_sweep(settings, "val/rmse") is None


def test_a_curve_over_rates():
    rows = [[3.0, 1.0, 2.0], [0.3, 0.1, 0.2], [0.03, 0.05, 0.04], [0.4, inf, inf]]
    settings = sweep(rows, **{"optimizer.lr": RATES})
    figure = draw(settings[::-1])
    (panel,) = figure.axes
    assert (panel.get_xscale(), panel.get_yscale(), panel.get_xlabel()) == ("log", "log", "optimizer.lr")
    assert points(panel, "median") == [[1e-4, 2.0], [1e-3, 0.2], [1e-2, 0.04]]  # most of 0.1 diverged: no median
    assert points(panel, "best") == [[1e-2, 0.04]]
    assert len(points(panel, "jobs")) == 10
    (band,) = found(panel, "range")
    corners = band.get_paths()[0].vertices
    assert corners[:, 1].min() == 0.03
    assert corners[:, 1].max() == 3.0
    assert points(panel, "diverged") == [[0.1, 1.0]]  # at the top edge
    assert texts(panel) == ["2/3"]
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["1e-4", "1e-3", "0.01", "0.1"]
    assert told(figure) == (
        "4 settings, 12 jobs, 2 diverged (×)\nbest: optimizer.lr=0.01\n"
        "median val/rmse 0.04 over 3 seeds; its best job 0.03"
    )


def test_one_seed_has_neither_range_nor_shares():
    (panel,) = draw(sweep([[0.1], [inf], [0.3]], lr=RATES[:3])).axes
    assert not found(panel, "range")
    assert not texts(panel)
    assert points(panel, "diverged") == [[1e-3, 1.0]]
    assert panel.get_yscale() == "linear"


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([1e-4, 1e-3, 1e-2], "log"),
        ([16, 32, 64], "log"),
        ([1, 50], "log"),
        ([1, 5], "linear"),
        ([1, 10, 300], "log"),
        ([1, 150, 300], "linear"),
        ([0.0, 0.1, 0.2, 0.30000000000000004], "linear"),
        (list(range(1, 41)), "linear"),
        ([-1.0, 1.0, 100.0], "linear"),
    ],
)
def test_geometric_values_stand_on_a_log_axis(values, scale):
    (panel,) = draw(sweep([[1.0 + i] for i in range(len(values))], key=values)).axes
    assert panel.get_xscale() == scale
    assert points(panel, "jobs") == [[value, 1.0 + i] for i, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["sgd", "adam", "größe_Ω"], ["sgd", "adam", "größe_Ω"]),
        ([2, 6, None], ["2", "6", "null"]),
        ([True, False], ["true", "false"]),
        ([[64, 64], [8]], ["[64,64]", "[8]"]),
        ([1e-3, 0, 1e-4], ["0", "1e-4", "1e-3"]),
        ([inf, 1.0], ["inf", "1"]),
    ],
)
def test_names_stand_in_equal_steps(values, names):
    (panel,) = draw(sweep([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]][: len(values)], key=values)).axes
    assert [tick.get_text() for tick in panel.get_xticklabels()] == names
    assert panel.get_xticks().tolist() == list(range(len(values)))
    assert [x for x, _ in points(panel, "median")] == list(range(len(values)))
    assert found(panel, "median")[0].get_linestyle() == "None"
    assert len(found(panel, "range")[0].get_segments()) == len(values)


def test_r2_is_better_when_higher_and_clipped_at_0():
    (panel,) = draw(sweep([[0.9], [-1e6], [0.2], [inf]], lr=RATES), "val/r2").axes
    assert panel.get_yscale() == "linear"
    assert points(panel, "best") == [[1e-4, 0.9]]
    assert points(panel, "jobs") == [[1e-4, 0.9], [1e-3, 0.0], [1e-2, 0.2]]
    assert points(panel, "diverged") == [[0.1, 0.0]]  # the bad end is at the bottom
    assert panel.get_ylim() == pytest.approx((-0.05, 1.05))
    assert panel.get_ylabel() == "val/r2 (lower ones at 0)"


def test_r2_when_nothing_is_above_0():
    (panel,) = draw(sweep([[-0.5], [-1e6], [-0.1]], lr=RATES[:3]), "val/r2").axes
    assert [y for _, y in points(panel, "jobs")] == [-0.5, -2.0, -0.1]


def test_an_error_of_0_is_drawn_below_the_lowest_on_a_log_axis():
    (panel,) = draw(sweep([[1.0], [0.0], [0.03]], lr=RATES[:3])).axes
    assert panel.get_yscale() == "log"
    assert points(panel, "best")[0] == pytest.approx([1e-3, 0.01])


def test_a_map_over_two_keys():
    rows = [[0.5], [2.0], [nan], [inf], [0.003], [1.0]]
    settings = sweep(rows, lr=[1e-3, 1e-2, 0.1], model=["linear", "mlp"])
    figure = draw([*settings[:5], Point({"lr": 0.1, "model": "mlp"}, [1.0, 1.0, inf])])
    panel, bar = figure.axes
    (image,) = panel.images
    assert image.get_array().shape == (2, 3)
    assert image.get_array().tolist() == [[0.5, None, 0.003], [2.0, None, 1.0]]
    assert isinstance(image.norm, LogNorm)
    assert (image.norm.vmin, image.norm.vmax) == (0.003, 2.0)
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["1e-3", "0.01", "0.1"]
    assert [tick.get_text() for tick in panel.get_yticklabels()] == ["linear", "mlp"]
    assert (panel.get_xlabel(), panel.get_ylabel(), bar.get_ylabel()) == ("lr", "model", "median val/rmse")
    assert points(panel, "diverged") == [[1.0, 1.0]]  # and the cell of the job that failed has no mark
    (best,) = found(panel, "best")
    assert best.get_xy() == (1.5, -0.5)
    assert best.get_edgecolor() == to_rgba(FIT)
    assert sorted(texts(panel)) == ["0.5", "1\n1/3 ×", "2", "3e-3"]
    assert told(figure).startswith("6 settings, 8 jobs, 2 diverged (×), 1 failed\nbest: lr=0.1, model=linear\n")


def test_text_in_cells_is_dark_on_light_and_light_on_dark():
    panel = draw(sweep([[0.1], [0.11], [0.9], [1.0]], a=[1, 2], b=["x", "y"])).axes[0]
    assert {shown.get_text(): shown.get_color() for shown in panel.texts} == {
        "0.1": "white",
        "0.11": "white",
        "0.9": "black",
        "1": "black",
    }
    assert not isinstance(panel.images[0].norm, LogNorm)


@pytest.mark.parametrize(("rows", "columns", "written"), [(8, 12, 96), (9, 12, 0), (8, 13, 104), (8, 19, 0)])
def test_only_small_maps_are_written_in(rows, columns, written):
    errors = [[1.0 + i] for i in range(rows * columns)]
    panel = draw(sweep(errors, a=range(rows), b=range(columns))).axes[0]
    assert len(panel.texts) == written


def test_an_r2_below_1_is_not_written_as_1():
    panel = draw(sweep([[0.99997], [0.98765], [0.5], [-3e5]], a=[1, 2], b=[1, 2]), "val/r2").axes[0]
    assert sorted(texts(panel)) == ["-3e5", "0.5", "0.988", "0.99997"]


def test_high_r2_and_low_errors_have_the_same_colour():
    low, high = (
        draw(sweep([[0.0], [0.5], [0.6], [1.0]], a=[1, 2], b=[1, 2]), name).axes[0].images[0] for name in ("x", "r2")
    )
    assert low.to_rgba([[0.0]]) == pytest.approx(high.to_rgba([[1.0]]))


def test_a_large_map_is_not_written_in_and_thins_its_labels():
    names = [f"a_quite_long_name_of_a_model_{i}" for i in range(90)]
    panel = draw(sweep([[1.0 + i] for i in range(180)], model=names, bias=[True, False])).axes[0]
    assert panel.images[0].get_array().shape == (2, 90)
    assert not panel.texts
    labels = [tick.get_text() for tick in panel.get_xticklabels()]
    assert 30 <= len(labels) <= 60
    assert labels[0] == "a_quite_long…f_a_model_0"
    assert all(len(shown) == 24 for shown in labels)
    assert panel.get_xticklabels()[0].get_rotation() == 90


def test_a_map_for_each_value_of_the_key_with_the_fewest():
    rows = [[0.01 * (1 + i)] for i in range(18)]
    figure = draw(sweep(rows, lr=RATES[:3], optimizer=["adam", "sgd"], batch=[2, 4, 8]))
    *panels, _ = figure.axes
    assert [panel.get_title() for panel in panels] == ["optimizer=adam", "optimizer=sgd"]
    assert [panel.images[0].get_array().shape for panel in panels] == [(3, 3)] * 2
    assert len({(panel.images[0].norm.vmin, panel.images[0].norm.vmax) for panel in panels}) == 1
    assert [len(found(panel, "best")) for panel in panels] == [1, 0]
    assert panels[1].images[0].get_array()[2, 1] == pytest.approx(0.17)  # batch=4 across or up, lr=0.01


def test_parallel_axes_over_four_keys():
    rows = [[inf] if i == 7 else [nan] if i == 8 else [10.0 ** (i / 30)] for i in range(81)]
    keys = {"optimizer.lr": RATES[:3], "b": [1, 2, 3], "c": ["x", "y", "z"], "d": [None, True, [1, 2]]}
    figure = draw(sweep(rows, **keys))
    (panel,) = figure.axes
    assert panel.get_yscale() == "log"
    assert panel.get_ylabel() == "val/rmse"
    (settings,), (best,), (diverged,) = (found(panel, name) for name in ("settings", "best", "diverged"))
    assert [len(lines.get_segments()) for lines in (settings, best, diverged)] == [79, 1, 1]
    assert best.get_segments()[0][-1, 1] == pytest.approx(1.0)
    assert diverged.get_segments()[0][-1, 1] > rows[-1][0]
    assert len({line[1, 1] for line in settings.get_segments()}) == 79  # lines through the same value stand apart
    assert diverged.get_linestyle()[0][1] is not None
    assert {"optimizer.lr", "b", "c", "d", "1e-4", "3", "z", "null", "[1,2]"} <= set(texts(panel))
    assert told(figure).startswith("81 settings, 81 jobs, 1 diverged (×), 1 failed")


@pytest.mark.parametrize("error", ["val/rmse", "val/r2"])
def test_lines_stay_within_the_ends_of_their_axes(error):
    rows = [[inf] if i == 3 else [0.1 + i / 20] for i in range(16)]
    figure = draw(sweep(rows, a=[1, 2], b=[1, 2], c=[1, 2], d=[1, 2]), error)
    (panel,) = figure.axes
    lines = [line for name in ("settings", "best", "diverged") for line in found(panel, name)[0].get_segments()]
    heights = np.concatenate([line[:, 1] for line in lines])
    axes = [line for artist in panel.collections for line in artist.get_segments() if np.ptp(line[:, 0]) == 0]
    ends = sorted({round(float(end), 9) for line in axes for end in line[:, 1]})
    assert len(axes) == 4
    assert len(ends) == 2
    assert ends[0] <= heights.min() + 1e-9
    assert heights.max() <= ends[1] + 1e-9
    assert "best" in {text.get_text() for text in figure.legends[0].get_texts()}


def test_three_long_keys_or_three_searched_at_random_are_drawn_on_parallel_axes():
    values = range(1, 8)
    (panel,) = draw(sweep([[1.0 + i] for i in range(343)], a=values, b=values, c=values)).axes
    assert len(found(panel, "settings")[0].get_segments()) == 343
    random = np.random.default_rng(0).uniform(0, 1, (40, 4)).tolist()
    (panel,) = draw([Point({"a": a, "b": b, "c": c}, [error]) for a, b, c, error in random]).axes
    assert len(found(panel, "settings")[0].get_segments()) == 40


def test_a_searched_key_has_an_axis_of_its_own_scale():
    rates = 10 ** np.random.default_rng(0).uniform(-4, 0, 24)
    settings = [
        Point({"lr": rate, "hidden": [16] if i % 2 else [64]}, [inf if i == 0 else rate + 0.1 * (i % 2)])
        for i, rate in enumerate(rates.tolist())
    ]
    figure = draw(settings)
    (panel,) = figure.axes
    assert (panel.get_xscale(), panel.get_xlabel(), panel.get_ylabel()) == ("log", "lr", "val/rmse")
    small, large = (points(panel, f"hidden={value}") for value in ("[16]", "[64]"))
    assert (len(small), len(large), len(points(panel, "diverged"))) == (12, 11, 1)
    assert sorted(small) == sorted([point.values["lr"], point.errors[0]] for point in settings[1::2])
    assert {"best", "diverged", "hidden=[16]"} <= {shown.get_text() for shown in figure.legends[0].get_texts()}


def test_two_searched_keys_are_a_plane():
    random = np.random.default_rng(0).uniform(0, 1, (40, 3)).tolist()
    panel, bar = draw([Point({"a": a, "b": b}, [error]) for a, b, error in random]).axes
    assert (panel.get_xlabel(), panel.get_ylabel(), bar.get_ylabel()) == ("a", "b", "val/rmse")
    dots = next(artist for artist in panel.collections if artist.get_array() is not None)
    assert sorted(dots.get_offsets().tolist()) == sorted([a, b] for a, b, _ in random)


def test_seeds_alone_are_a_distribution():
    figure = draw([Point({"seed": seed}, [inf if seed == 5 else 1.0 + seed / 10]) for seed in range(20)])
    panel, strip = figure.axes
    assert (panel.get_ylabel(), strip.get_xlabel()) == ("jobs", "val/rmse")
    assert sum(bar.get_height() for bar in panel.patches) == 19
    assert points(strip, "jobs") == [[1.0 + seed / 10, 0.0] for seed in range(20) if seed != 5]
    assert points(strip, "best") == [[1.0, 0.0]]
    assert told(figure) == "20 settings, 20 jobs, 1 diverged (×)\nbest: seed=0\nval/rmse 1"


def test_the_best_is_that_of_the_table_where_jobs_failed():
    figure = draw([Point({"lr": 0.1}, [0.1, nan, nan]), Point({"lr": 0.2}, [0.5, 0.4, 0.6])])
    assert "best: lr=0.2\nmedian val/rmse 0.5 over 3 seeds; its best job 0.4" in told(figure)


@pytest.mark.parametrize("error", ["val/rmse", "val/r2"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_everything_diverged(count, error):
    keys = {name: [1, 2] for name in "abcd"[:count]}
    figure = draw(sweep([[inf, inf]] * 2**count, **keys), error)
    crosses = sum(len(points(panel, "diverged")) for panel in figure.axes if count < 4 and found(panel, "diverged"))
    dashes = found(figure.axes[0], "diverged")
    assert (len(dashes[0].get_segments()) if count == 4 else crosses) == 2**count
    assert not any(found(panel, "best") for panel in figure.axes if count in (2, 3))
    assert told(figure) == f"{2**count} settings, {2 ** (count + 1)} jobs, {2 ** (count + 1)} diverged (×)"


def test_settings_of_the_same_values_are_one_and_keys_of_one_value_are_left_out():
    settings = [Point({"lr": lr, "model": "mlp"}, [error]) for lr, error in ((0.1 + 0.2, 1.0), (0.3, 3.0), (0.4, 4.0))]
    (panel,) = draw(settings).axes
    assert points(panel, "median") == [[0.3, 2.0], [0.4, 4.0]]


def test_equal_errors_and_a_single_finite_one():
    (panel,) = draw(sweep([[0.3], [inf], [0.3]], lr=RATES[:3])).axes
    low, high = panel.get_ylim()
    assert low < 0.3 < high


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1e-3, "1e-3"),
        (0.30000000000000004, "0.3"),
        (0.0, "0"),
        (-2.5e-7, "-2.5e-7"),
        (20000.0, "2e4"),
        (128, "128"),
        (None, "null"),
        (True, "true"),
        ([[64, 64], 0.5], "[[64,64],0.5]"),
        (nan, "nan"),
    ],
)
def test_values_are_written_as_they_are_typed(value, written):
    assert format_value(value) == written


def test_labels_are_short_and_have_only_letters_that_can_be_drawn():
    assert format_label("a" * 20 + "b" * 20) == "a" * 12 + "…" + "b" * 11
    assert format_label("名$前\n") == "\\u540d\\$\\u524d\\n"
    draw(sweep([[1.0], [2.0]], **{"名$前$": ["$x$", "名\n前"]}))
