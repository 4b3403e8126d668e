"""`python -m fit.predict`: what a fitted function answers."""

import csv
import io
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fit import FitError, load
from fit.export.__main__ import main as export
from fit.predict import __main__ as predict
from fit.predict.predictor import load_predictor

LINEAR = (
    "model=linear",
    "optimizer=sgd",
    "optimizer.lr=0.3",
    "scheduler=constant",
    "logger=none",
    "data.batch_size=null",
)


@pytest.fixture
def plane(fit):
    """Fit c = 2·a - 3·b + 5 for a from 0 to 9 and b from 0 to 7, all but exactly."""
    rows = [(a, b, 2 * a - 3 * b + 5, 1) for a in range(10) for b in range(8)]
    pd.DataFrame(rows, columns=["a", "b", "c", "one"]).to_csv("plane.csv", index=False)
    return train(fit, "plane.csv", "[a,b,one]", "[c]")


def train(fit, path, inputs, targets, *more):
    run = fit("data=table", f"data.path={path}", f"data.inputs={inputs}", f"data.targets={targets}", *LINEAR, *more)
    assert (run.code, run.err) == (0, ""), run.err
    return str(run.folder)


@pytest.fixture
def ask(capfd, monkeypatch):
    """Return a function that runs the command, with something on standard input, and returns code, output, errors."""

    def call(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = predict.main(list(arguments))
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return call


def rows(text, separator=","):
    return list(csv.DictReader(io.StringIO(text), delimiter=separator))


def test_a_point_is_answered_by_name(plane, ask):
    code, out, err = ask(plane, "b=-0.0", "a=1.5")
    name, _, value = out.partition(" = ")
    assert (code, err, name) == (0, "", "c")
    assert float(value) == pytest.approx(8, abs=1e-3)
    assert ask(plane, "b=0", "a=1.5", "one=1") == (0, out, "")
    assert ask(plane, "b=0", "a=1.5", "--checkpoint", "best")[0] == 0
    assert ask(plane, "--checkpoint", "last", "b=0", "a=1.5") == (0, out, "")


def test_a_point_outside_is_answered_and_told(plane, ask):
    code, out, err = ask(plane, "b=-2", "a=100")
    assert code == 0
    assert float(out.split(" = ")[1]) == pytest.approx(211, abs=0.01)
    assert err == ("This point lies outside the range of the training rows: a from 0 to 9, b from 0 to 7.\n")


def test_names_are_taken_as_they_are(fit, ask):
    folder = str(fit("data=temperature", *LINEAR).folder)
    code, out, _ = ask(folder, "°F=50")
    assert code == 0
    assert out.startswith("°C = ")
    assert float(out.split(" = ")[1]) == pytest.approx(10, abs=0.5)
    pd.DataFrame({"x²": [1, 2, 3, 5], "a=b": [1, 0, 1, 4], "z": [1, 2, 3, 4]}).to_csv("t.csv", index=False)
    folder = train(fit, "t.csv", '["x²","a=b"]', "[z]")
    assert ask(folder, "x²=2", "a=b=1")[0] == 0


NO_POINTS = [
    ([], ["There are no points", "--input"]),
    (["a=1"], ["b is missing", "a=VALUE b=VALUE"]),
    (["a=1", "bb=2"], ["bb=2 is not INPUT=VALUE", "a, b, one", "did you mean b"]),
    (["a", "b=2"], ["a is not INPUT=VALUE"]),
    (["a=1", "a=1", "b=1"], ["a is given twice"]),
    (["a=red", "b=1"], ["a=red is not allowed", "a number"]),
    (["a=nan", "b=1"], ["a=nan is not allowed"]),
    (["a=inf", "b=1"], ["a=inf is not allowed"]),
    (["a=1", "--input", "plane.csv"], ["There are no points"]),
    (["--input", "no.csv"], ["no.csv does not exist"]),
    (["--input", "."], [". is not a file"]),
]


def test_what_is_no_point_is_refused(plane, ask):
    for arguments, words in NO_POINTS:
        code, out, err = ask(plane, *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert all(word in err for word in words), err


def test_nothing_heavy_is_imported_to_refuse(tmp_path):
    called = "import sys; from fit.predict.__main__ import main; main(['.']); "
    script = called + "print({'torch', 'numpy', 'pyarrow'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "set()\n"


def test_what_is_no_run_is_refused(ask, tmp_path):
    code, _, err = ask(str(tmp_path), "a=1")
    assert code == 2
    assert "not a run folder" in err


def test_a_file_is_answered_row_by_row(plane, ask):
    text = 'note,b,a,c\n"x, ""y""",1,2,old\n,0,1.50,\n"two\nlines",7,99,z\n'
    Path("in.csv").write_text(text)
    code, out, err = ask(plane, "--input", "in.csv")
    assert code == 0
    assert err == "1 of 3 rows lies outside the range of the training rows.\n"
    answers = rows(out)
    for given, answer in zip(rows(text), answers, strict=True):
        assert {name: answer[name] for name in given} == given
        wanted = 2 * float(given["a"]) - 3 * float(given["b"]) + 5
        assert float(answer["c predicted"]) == pytest.approx(wanted, abs=0.01)
    assert [answer["extrapolation"] for answer in answers] == ["0", "0", "1"]
    assert ask(plane, "--input", "-", stdin=text.encode()) == (0, out, err)
    assert ask(plane, "--output", "out.csv", stdin=text.encode()) == (0, "", err)
    assert Path("out.csv").read_text() == out


def test_a_terminal_gets_six_digits_and_a_file_all(plane, ask, monkeypatch):
    Path("in.csv").write_text("a,b\n1.5,0.123456789\n")
    full = rows(ask(plane, "--input", "in.csv")[1])[0]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    short = rows(ask(plane, "--input", "in.csv")[1])[0]
    assert len(full["c"]) > 10
    assert short == {"a": "1.5", "b": "0.123456789", "c": f"{float(full['c']):.6g}", "extrapolation": "0"}
    assert ask(plane, "a=1.5", "b=0.123456789")[1] == f"c = {short['c']}\n"


def test_files_are_read_and_written_in_their_own_way(plane, ask):
    table = pd.DataFrame({"a": [1.5, 2.25], "b": [0.0, 6.5], "note": ["u", "v"]})
    wanted = [8.0, -10.0]
    table.to_csv("in.csv", index=False, sep=";", decimal=",")
    ask(plane, "--input", "in.csv", "--output", "out.csv")
    found = pd.read_csv("out.csv", sep=";", decimal=",")
    assert found["c"].tolist() == pytest.approx(wanted, abs=0.01)
    assert found[["a", "b", "note"]].equals(table)
    table.to_parquet("in.parquet")
    ask(plane, "--input", "in.parquet", "--output", "out.parquet")
    found = pd.read_parquet("out.parquet")
    assert found["c"].tolist() == pytest.approx(wanted, abs=0.01)
    assert found[["a", "b", "note"]].equals(table)
    code, out, _ = ask(plane, "--input", "in.parquet")
    assert [row["note"] for row in rows(out)] == ["u", "v"]
    table.to_csv("in.tsv", index=False, sep="\t")
    code, out, _ = ask(plane, "--input", "in.tsv")
    assert code == 0
    assert [float(row["c"]) for row in rows(out, "\t")] == pytest.approx(wanted, abs=0.01)


def test_many_rows_come_back_in_order(plane, ask):
    random = np.random.default_rng(0)
    table = pd.DataFrame({"a": random.uniform(0, 9, 70000), "row": range(70000), "b": random.uniform(0, 7, 70000)})
    table.to_csv("in.csv", index=False)
    assert ask(plane, "--input", "in.csv", "--output", "out.csv") == (0, "", "")
    found = pd.read_csv("out.csv")
    assert found["row"].tolist() == list(range(70000))
    assert np.abs(found["c"] - (2 * table["a"] - 3 * table["b"] + 5)).max() < 0.01


def test_words_are_given_as_text(fit, ask):
    table = pd.DataFrame({"who": ["x", "y", "z"] * 8, "a": range(24)})
    table["c"] = table["a"] + table["who"].map({"x": 0, "y": 100, "z": -50})
    table.to_csv("t.csv", index=False)
    folder = train(fit, "t.csv", "[who,a]", "[c]", "data.categorical=[who]", "trainer.max_epochs=400")
    _, out, err = ask(folder, "who=y", "a=3")
    assert err == ""
    assert float(out.split(" = ")[1]) == pytest.approx(103, abs=0.1)
    code, _, err = ask(folder, "who=w", "a=3")
    assert (code, err) == (2, "fit: who=w is not allowed: give x or y or z.\n")
    _, out, _ = ask(folder, "--input", "-", stdin=b"a,who\n3, y\n4,z\n")
    assert [float(row["c"]) for row in rows(out)] == pytest.approx([103, -46], abs=0.1)
    code, _, err = ask(folder, "--input", "-", stdin=b"a,who\n3,y\n4,w\n")
    assert (code, err) == (2, "fit: standard input, line 3: who is 'w'; give x or y or z.\n")


def test_dates_are_given_as_such_or_in_years(fit, ask):
    days = pd.date_range("2019-01-01", periods=60, freq="MS")
    years = days.year + (days.day_of_year - 1) / np.where(days.is_leap_year, 366, 365)
    pd.DataFrame({"day": days.strftime("%Y-%m"), "c": 10 * (years - 2020)}).to_csv("t.csv", index=False)
    folder = train(fit, "t.csv", "[day]", "[c]", "trainer.max_epochs=200")
    for value in ("2020-07-02", "2.7.2020", "2020-07-02 00:00", "2020.5"):
        _, out, err = ask(folder, f"day={value}")
        assert (float(out.split(" = ")[1]), err) == (pytest.approx(5, abs=0.01), "")
    code, _, err = ask(folder, "day=May")
    assert (code, err.count("\n")) == (2, 1)
    assert "day=May is not allowed: give a number" in err
    assert "or dates as 2024-01-31" in err
    for cell in ("2020-07-02", "2020.5"):
        _, out, _ = ask(folder, "--input", "-", stdin=f"note,day\nu,{cell}\nv,{cell}\n".encode())
        assert [(row["day"], float(row["c"])) for row in rows(out)] == [(cell, pytest.approx(5, abs=0.01))] * 2
    code, _, err = ask(folder, "--input", "-", stdin=b"day\n2020-01\n\nMay\n")
    assert (code, err.count("\n")) == (2, 1)
    assert "standard input, line 4: day is 'May', not a date; write dates as" in err
    pd.DataFrame({"day": [pd.Timestamp("2020-07-02")]}).to_parquet("in.parquet")
    assert float(rows(ask(folder, "--input", "in.parquet")[1])[0]["c"]) == pytest.approx(5, abs=0.01)
    run = load(folder)
    moment = pd.Timestamp("2020-07-02")
    for given in (["2020-07-02"], [moment], pd.Series([moment]), [moment.date()], pd.DatetimeIndex([moment]), [2020.5]):
        assert run.predict({"day": given})[0, 0] == pytest.approx(5, abs=0.01)
    for given in (["May"], [moment, None], [pd.Timedelta(1)]):
        with pytest.raises(FitError, match="day cannot be read as dates: give dates as 2024-01-31"):
            run.predict({"day": given})
    with pytest.raises(FitError, match="The inputs cannot be read as numbers"):
        run.predict(np.array(["2020-07-02"], dtype="datetime64[D]"))
    assert export([folder, "--format", "python"]) == 0
    assert "The date day is given in years" in Path(folder, "network.py").read_text()
    predict = runpy.run_path(str(Path(folder, "network.py")))["predict"]
    assert predict([[2020.5]])[0, 0] == pytest.approx(5, abs=0.01)


def test_thousands_separators_are_read_and_left_as_they_are(plane, ask):
    _, out, _ = ask(plane, "--input", "-", stdin=b"a;b\n1.000,5;-2\n")
    a, b, c, _ = out.splitlines()[1].split(";")
    assert (a, b) == ("1.000,5", "-2")
    assert float(c.replace(",", ".")) == pytest.approx(2012, abs=0.01)


def test_nothing_is_printed_of_what_is_refused(plane, ask):
    pd.DataFrame({"a": [np.nan], "b": [1.0]}).to_parquet("in.parquet")
    code, out, err = ask(plane, "--input", "in.parquet")
    assert (code, out) == (2, "")
    assert "in.parquet, row 1: a has no value" in err


def test_no_rows_are_an_empty_result(plane, ask):
    assert ask(plane, "--input", "-", stdin=b"a,b\n") == (0, "a,b,c,extrapolation\n", "")
    pd.DataFrame({"a": [1.0], "b": [2.0]}).iloc[:0].to_parquet("in.parquet")
    assert ask(plane, "--input", "in.parquet", "--output", "out.parquet") == (0, "", "")
    assert list(pd.read_parquet("out.parquet").columns) == ["a", "b", "c", "extrapolation"]


BAD_FILES = [
    (b"", ["in.csv is empty"]),
    (b"a,bb\n1,2\n", ["in.csv lacks the column b", "did you mean bb"]),
    (b"a,b\n1,2\n\n3,red\n", ["in.csv, line 4: b is 'red', not a number"]),
    (b"a,b\n1,2\n3,\n", ["in.csv, line 3: b has no value"]),
    (b"a,b\n1,2\n3,inf\n", ["in.csv, line 3: b is inf", "1e+30"]),
    (b"a,b\n1,2\n3,1,2\n", ["in.csv, line 3", "3 cells", "2 in the first line"]),
    (b"a,b\n1,2\n3,2024-01-02\n", ["in.csv, line 3", "dates"]),
    (b"\0\1\2", ["in.csv is not a table"]),
    (b"a,b\n1,\xff\n", ["in.csv, line 2", "not text in utf-8"]),
    (b"a,b\n" + 60000 * b"1,2\n" + b"x,2\n", ["in.csv, line 60002: a is 'x'"]),
]


def test_a_bad_file_is_refused_and_leaves_what_was_there(plane, ask):
    Path("out.csv").write_text("old")
    for content, words in BAD_FILES:
        Path("in.csv").write_bytes(content)
        code, out, err = ask(plane, "--input", "in.csv", "--output", "out.csv")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert all(word in err for word in words), err
        assert Path("out.csv").read_text() == "old"
        assert not [path for path in Path().iterdir() if path.name.startswith(".")]


def test_a_folder_that_does_not_exist_is_told(plane, ask):
    code, _, err = ask(plane, "--input", "plane.csv", "--output", "nowhere/out.csv")
    assert (code, err.count("\n")) == (2, 1)
    assert "nowhere" in err


def test_deviations_have_columns_of_their_own(fit, ask):
    folder = str(fit("data.points=30", "model.hidden=[4]", "trainer.max_epochs=3", "ensemble=3", "logger=none").folder)
    _, out, _ = ask(folder, "x=1", "y=1")
    assert "(standard deviation)" in out
    _, out, _ = ask(folder, "--input", "-", stdin=b"x,y\n1,1\n")
    assert out.splitlines()[0] == "x,y,x²+y²,x²+y² std,extrapolation"
    each = [load_predictor(f"{folder}/members/{number}")(torch.ones(1, 3).double())[0] for number in range(3)]
    assert float(rows(out)[0]["x²+y² std"]) == pytest.approx(float(torch.stack(each).std(0)), rel=1e-6)


def test_what_was_trained_on_can_be_predicted_as_it_was_read(fit, ask):
    table = pd.DataFrame({"ä": [1.5, 2.5, 3.5, 4.5], "b": [0.0, 1.0, 0.5, 3.25]})
    table.to_csv("t.csv", index=False, sep=";", decimal=",", encoding="latin-1")
    folder = train(fit, "t.csv", '["ä"]', "[b]", "data.encoding=latin-1", "trainer.max_epochs=2")
    _, out, _ = ask(folder, "--input", "t.csv")
    assert [row["ä"] for row in rows(out, ";")] == ["1,5", "2,5", "3,5", "4,5"]
    Path("u.csv").write_text("ä\n1.5\n")
    assert ask(folder, "--input", "u.csv")[0] == 2
    told = ["--encoding", "utf-8", "--separator", "comma", "--decimal", "point", "--header", "true"]
    assert ask(folder, "--input", "u.csv", *told)[0] == 0
    code, _, err = ask(folder, "--input", "u.csv", "--separator", "dash")
    assert (code, err.count("\n")) == (2, 1)
    assert "--separator=dash is not allowed: give one of auto, comma" in err
    Path("t.csv").write_text("1,0\n2,1\n3,0.5\n4,3\n")
    folder = train(fit, "t.csv", "[c1]", "[c2]", "data.header=false", "trainer.max_epochs=2")
    assert len(rows(ask(folder, "--input", "t.csv")[1])) == 4


def test_predictions_can_be_predicted_again_and_again(plane, ask):
    Path("0.csv").write_text("a,b\n1,2\n")
    for number in range(4):
        assert ask(plane, "--input", f"{number}.csv", "--output", f"{number + 1}.csv") == (0, "", "")
    names = Path("4.csv").read_text().splitlines()[0].split(",")
    assert names[2::2] == ["c", "c predicted", "c predicted 2", "c predicted 3"]
    assert ask(plane, "--input", "0.csv", "--output", "1.parquet") == (0, "", "")
    assert {"a": 1.0, "b": 2.0}.items() <= pd.read_parquet("1.parquet").iloc[0].to_dict().items()


@pytest.mark.parametrize("cells", [[[1, 2]], [{"x": 1}], [b"\xff"]])
def test_what_is_no_text_is_not_printed(plane, ask, cells):
    pd.DataFrame({"a": [1.0], "b": [2.0], "more": cells}).to_parquet("in.parquet")
    code, _, err = ask(plane, "--input", "in.parquet")
    assert (code, err.count("\n")) == (2, 1)
    assert "in.parquet: more holds" in err
    assert "--output FILE.parquet" in err
    assert ask(plane, "--input", "in.parquet", "--output", "out.parquet") == (0, "", "")
