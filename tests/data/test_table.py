"""Tables of one's own, as their user trains on them."""

import csv
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fit.data.table.table import Table
from fit.doctor.__main__ import main as doctor
from tables import ABC, QUICK, frame, train, weights


def test_a_table_is_learnt_and_told(fit):
    frame(800).to_csv("t.csv", index=False)
    run = fit("data=table", *ABC, "model.hidden=[32]", "trainer.max_epochs=60", "logger=none", "figures=true")
    assert (run.code, run.err) == (0, "")
    assert run.metrics["val/r2"] > 0.99
    for words in ("table t.csv: 640 rows, 64 in each step", "judged on val (160 held-out rows)", "→ c in ["):
        assert words in run.out
    assert run.checkpoint()["inputs"] == ["a", "b"]
    assert (run.folder / "figures" / "fit.png").exists()


def as_csv(table):
    table.to_csv("t.csv", index=False)


def as_tsv(table):
    table.to_csv("t.csv", index=False, sep="\t")


def as_german(table):
    table.to_csv("t.csv", index=False, sep=";", decimal=",")


def as_pipes(table):
    table.to_csv("t.csv", index=False, sep="|")


def as_parquet(table):
    table.to_parquet("t.csv")


def as_other_order(table):
    table[["who", "c", "b", "a"]].to_csv("t.csv", index=False)


def as_quoted_windows(table):
    table.to_csv("t.csv", index=False, quoting=csv.QUOTE_ALL, lineterminator="\r\n", encoding="utf-8-sig")


def as_blank_lines(table):
    as_csv(table)
    Path("t.csv").write_text("\n" + Path("t.csv").read_text().replace("\n", "\n\n"))


def as_marked(table):
    table.to_csv("t.csv", index=False, encoding="utf-8-sig")


def as_utf16(table):
    table.to_csv("t.csv", index=False, encoding="utf-16")


def test_a_table_that_was_changed_is_neither_gone_on_with_nor_diagnosed(fit, capfd):
    table = frame()
    as_csv(table)
    run = train(fit, *ABC)
    as_csv(table.iloc[:-2])
    resumed = fit(f"resume={run.folder}", "trainer.max_epochs=50")
    assert resumed.code == doctor([str(run.folder)]) == 2
    for told in (resumed.err, capfd.readouterr().err):
        assert "was trained on other rows than its data have now" in told


def test_the_same_numbers_are_the_same_run_however_they_are_written(fit):
    table = frame()
    as_csv(table)
    expected = train(fit, *ABC)
    german = ["data.separator=semicolon", "data.decimal=comma", "data.header=true"]
    for write, more in (
        (as_tsv, []),
        (as_german, []),
        (as_german, german),
        (as_pipes, []),
        (as_parquet, []),
        (as_other_order, []),
        (as_quoted_windows, []),
        (as_blank_lines, []),
        (as_marked, ["data.encoding=UTF8"]),
        (as_utf16, ["data.encoding=utf-16"]),
    ):
        write(table)
        run = train(fit, *ABC, *more)
        assert torch.equal(weights(run), weights(expected)), (write, more)
        assert run.history_text == expected.history_text


def test_without_a_header_columns_are_numbered(fit):
    as_csv(frame())
    expected = train(fit, *ABC)
    frame().to_csv("t.csv", index=False, header=False)
    for more in ([], ["data.header=false"]):
        run = train(fit, "data.path=t.csv", "data.inputs=[c1,c2]", "data.targets=[c3]", *more)
        assert torch.equal(weights(run), weights(expected))


def test_a_header_may_hold_numbers(fit):
    table = frame().rename(columns={"b": "1"})
    table.to_csv("t.csv", index=False)
    run = train(fit, "data.path=t.csv", "data.inputs=[a,1]", "data.targets=[c]")
    assert run.checkpoint()["inputs"] == ["a", "1"]


def test_dropping_rows_is_training_on_the_cleaned_file(fit):
    table = frame()
    as_csv(table)
    expected = train(fit, *ABC)
    holes = [table.iloc[:10].to_csv(index=False), ",1,2,x\n", table.iloc[10:].to_csv(index=False, header=False)]
    Path("t.csv").write_text("".join([*holes, "1,NA,2,x\n", "1,2,NaN,x\n", " ,null,2,x\n"]))
    message = fit(*QUICK, *ABC).err
    assert "4 rows with missing values (line 12, line 63, line 64, line 65)" in message
    assert "data.missing=drop" in message
    run = train(fit, *ABC, "data.missing=drop")
    assert torch.equal(weights(run), weights(expected))
    assert "4 rows of t.csv with missing values left out." in run.out


def test_a_missing_value_elsewhere_does_not_matter(fit):
    table = frame()
    table.loc[3, "who"] = None
    as_csv(table)
    assert "left out" not in train(fit, *ABC).out


def test_a_second_file_is_what_is_judged_on(fit):
    as_csv(frame())
    other = frame(100).iloc[60:]
    other.to_csv("other.csv", index=False)
    run = train(fit, *ABC, "data.val_path=other.csv")
    assert "60 rows" in run.out
    assert "val (40 rows of other.csv)" in run.out
    assert run.metrics["baseline/val/mean_mse"] == pytest.approx(
        float(((other["c"] - frame()["c"].mean()) ** 2).mean()), rel=1e-9
    )


def test_named_groups_are_held_out_whole(fit):
    table = frame()
    as_csv(table)
    run = train(fit, *ABC, "data.group=who", "data.val_groups=[g1,g4]")
    assert "judged on val (20 held-out rows, 2 groups of who)" in run.out
    as_csv(table.assign(site=table["who"].str[1:].astype(float)))  # written 1.0, typed 1
    assert torch.equal(weights(train(fit, *ABC, "data.group=site", "data.val_groups=[1,4]")), weights(run))
    as_csv(table)
    table[~table["who"].isin(["g1", "g4"])].to_csv("t.csv", index=False)
    table[table["who"].isin(["g1", "g4"])].to_csv("other.csv", index=False)
    same = train(fit, *ABC, "data.val_path=other.csv")
    assert torch.equal(weights(run), weights(same))
    assert run.history_text == same.history_text


def test_groups_at_random_follow_the_seed(fit):
    table = frame()
    table["c"] = table["who"].str[1:].astype(int) * 100.0  # so that the mean says which groups are trained on
    as_csv(table)
    means = set()
    for seed in range(2):
        run = train(fit, *ABC, "data.group=who", "data.val_fraction=0.34", f"data.seed={seed}")
        assert "judged on val (20 held-out rows, 2 groups of who)" in run.out
        means.add(float(run.checkpoint()["target_scaler"]["center"]))
    assert len(means) > 1
    assert all(round(mean * 4, 6) % 100 == 0 for mean in means)  # of four whole groups


def test_seeds_of_groups_may_be_swept(fit):
    table = frame()
    table.loc[:20, "who"] = "g1"
    as_csv(table)
    run = fit("-m", *QUICK, *ABC, "data.group=who", "data.seed=0,1,2")
    assert run.code == 0, run.err
    assert len(list(Path("outputs/sweeps").glob("*/*/metrics.json"))) == 3


def test_many_groups_are_split_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = 30000
    table = pd.DataFrame({"a": range(rows), "c": range(rows), "who": [f"g{row}" for row in range(rows)]})
    table.to_parquet("t.parquet")
    started = time.perf_counter()
    table = Table(path="t.parquet", inputs=["a"], targets=["c"], group="who", val_fraction=0.5)
    train, fresh = table.split()
    assert len(train.inputs) == len(fresh["val"].inputs) == rows // 2
    assert not set(train.inputs[:, 0].tolist()) & set(fresh["val"].inputs[:, 0].tolist())
    assert time.perf_counter() - started < 5


def test_words_are_inputs_of_their_own(fit):
    table = frame()
    as_csv(table)
    run = train(fit, "data.path=t.csv", "data.inputs=[who,a]", "data.targets=[c]", "data.categorical=[who]")
    assert run.checkpoint()["inputs"] == [f"who=g{group}" for group in range(6)] + ["a"]
    assert run.checkpoint()["categories"] == {"who": [f"g{group}" for group in range(6)]}
    for group in range(6):
        table[f"is{group}"] = (table["who"] == f"g{group}").astype(int)
    as_csv(table)
    same = train(fit, "data.path=t.csv", "data.inputs=[is0,is1,is2,is3,is4,is5,a]", "data.targets=[c]")
    assert torch.equal(weights(run), weights(same))


def test_true_and_false_are_1_and_0(fit):
    table = frame()
    table["b"] = table["b"] > 0
    as_csv(table)
    run = train(fit, *ABC)
    as_parquet(table)
    same = train(fit, *ABC)
    table["b"] = table["b"].astype(int)
    as_csv(table)
    assert torch.equal(weights(run), weights(train(fit, *ABC)))
    assert torch.equal(weights(run), weights(same))


def test_whole_numbers_that_single_precision_does_not_tell_apart_are_told(fit):
    table = frame()
    table["a"] = 2**24 * np.arange(len(table)) + 1
    as_csv(table)
    assert "whole numbers of a span" in train(fit, *ABC).out
    table["a"] = np.arange(len(table)) + 2**40
    as_csv(table)
    assert "span" not in train(fit, *ABC).out
    for fix_scaling in ("none", "2"):
        assert "whole numbers of a reach 1.09951e+12" in train(fit, *ABC, f"data.scale_inputs={fix_scaling}").out


def test_one_input_is_drawn_as_a_curve_among_held_out_points(fit):
    from fit.report.drawing import Drawing
    from fit.report.figures import draw_fit

    moments = pd.date_range("2024-03-01 08:00", periods=60, freq="min").strftime("%Y-%m-%d %H:%M")
    as_csv(frame().assign(a=moments))  # closer to each other than single precision is at 2024
    table = Table(path="t.csv", inputs=["a"], targets=["c"])
    train, fresh = table.split()
    drawn = table.drawn()
    assert (drawn.inputs.diff(dim=0) >= 0).all()
    assert drawn.inputs.amin() >= train.inputs.amin().minimum(fresh["val"].inputs.amin())
    assert len(drawn.inputs.unique()) > 500
    panel, below = draw_fit(Drawing(table, train, drawn, 2 * drawn.inputs)).axes
    assert below.get_xlabel() == "a (years)"
    _, points, line = panel.get_lines()
    shown = np.array(points.get_ydata())
    assert sorted(shown[np.isfinite(shown)]) == sorted(fresh["val"].targets[:, 0].tolist())
    assert points.get_linestyle() == "None"
    assert len(line.get_xdata()) > 400
    assert np.isfinite(np.array(line.get_ydata())).all()


def test_many_points_are_thinned_and_many_rows_judged_in_parts(fit, monkeypatch):
    frame(40000).to_csv("t.csv", index=False)
    arguments = (*ABC, "data.batch_size=4096", "trainer.max_epochs=1")
    whole = train(fit, *arguments)
    monkeypatch.setattr("fit.training.module.MOST_NUMBERS", 4 * 1000)
    parts = train(fit, *arguments)
    assert parts.metrics["val/rmse"] == pytest.approx(whole.metrics["val/rmse"], rel=1e-5)
    assert torch.equal(weights(whole), weights(parts))


def test_inputs_are_all_columns_but_the_targets(fit):
    table = frame()
    as_csv(table)
    named = train(fit, *ABC, "data.group=who")
    rest = train(fit, "data.path=t.csv", "data.targets=[c]", "data.group=who")
    assert "data.inputs=null: the inputs are all columns but c, who: a, b." in rest.out
    assert "data.inputs" not in named.out
    assert torch.equal(weights(rest), weights(named))


def as_months(days):
    return days.strftime("%Y-%m")


def as_iso(days):
    return days.strftime("%Y-%m-%d")


def as_moments(days):
    return days.strftime("%Y/%m/%d 0:00")


def as_points(days):
    return days.strftime("%d.%m.%Y 00:00:00")


def test_dates_are_years_however_they_are_written(fit):
    days = pd.date_range("2019-01-01", periods=60, freq="MS")
    table = frame()
    as_csv(table.assign(a=days.year + (days.day_of_year - 1) / np.where(days.is_leap_year, 366, 365)))
    numbers = train(fit, *ABC)
    for write in (as_months, as_iso, as_moments, as_points, list):
        as_parquet(table.assign(a=days)) if write is list else as_csv(table.assign(a=write(days)))
        run = train(fit, *ABC)
        assert "Dates are inputs in years" in run.out, write
        assert "a in [2019, 2023.9], b in" in run.out
        assert run.checkpoint()["dates"] == ["a"]
        assert run.checkpoint()["low"][0] == 2019
        assert run.history_text == numbers.history_text, write
    assert (numbers.checkpoint()["dates"], "Dates" in numbers.out) == ([], False)


def test_thousands_separators_are_left_out(fit):
    table = frame().drop(columns="who")
    table["c"] *= 64 * 64
    as_csv(table)
    expected = train(fit, *ABC)
    english = table.map("{:,.6f}".format)
    english.to_csv("t.csv", index=False)
    german = english.map(lambda cell: cell.translate(str.maketrans(",.", ".,")))
    for write in (lambda: None, lambda: german.to_csv("t.csv", index=False, sep=";")):
        write()
        run = train(fit, *ABC)
        assert "Thousands separators are left out: 1" in run.out
        assert "(in c)" in run.out
        assert torch.equal(weights(run), weights(expected))


def test_a_batch_of_more_than_the_rows_is_all_of_them(fit):
    as_csv(frame())
    assert "data.batch_size=500 is more than that" in train(fit, *ABC, "data.batch_size=500").out


def test_a_constant_column_does_not_outweigh_the_others(fit):
    table = frame(200)
    table.assign(year=2024.0, empty=0, c=table["a"] + table["b"]).to_csv("t.csv", index=False)
    settings = ("data.inputs=[a,b,year,empty]", "optimizer.lr=1e-2", "trainer.max_epochs=100", "model.hidden=[8]")
    for kind in ("standardize", "minmax"):
        run = train(fit, *ABC, *settings, f"data.scale_inputs={kind}")
        assert "Constant in the training rows, so that nothing can be learned from it: year=2024, empty=0." in run.out
        assert run.checkpoint()["input_scaler"]["factor"][2:].tolist() == [1 / 2024, 1]
        assert run.metrics["val/r2"] > 0.99
