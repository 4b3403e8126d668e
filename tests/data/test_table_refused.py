"""Tables that cannot be trained on are refused in one sentence."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from tables import ABC, QUICK, frame, refused


def test_torch_is_not_imported_to_refuse(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\nred,1\n")
    typed = ["train", "data=table", "data.path=t.csv", "data.targets=[b]"]
    script = f"import sys; sys.argv = {typed}\nfrom fit.train import command, main\ntry: command(main)\n"
    script += "except SystemExit as stop: print(stop.code, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "2 False\n"
    assert "t.csv, line 2: a is 'red', not a number" in done.stderr


def test_lines_are_those_of_the_file(fit):
    table = frame(9)
    table["who"] = 'two\n"lines"'
    text = table.to_csv(index=False).replace("a,b,c,who\n", "\na,b,c,who\n\n\n") + "1,oops,3,x\n"
    Path("t.csv").write_text(text)
    line = 1 + text[: text.index("oops")].count("\n")
    assert f"t.csv, line {line}: b is 'oops', not a number" in refused(fit, *ABC)


HEAD = "a,b,c\n1,2,3\n2,3,5\n3,4,9\n"


@pytest.mark.parametrize(
    ("content", "arguments", "words"),
    [
        (None, [], ["t.csv does not exist"]),
        ("", [], ["t.csv is empty"]),
        ("\n\n", [], ["t.csv is empty"]),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", [], ["t.csv is not a table"]),
        (b"PAR1 and nothing of it", [], ["t.csv cannot be read"]),
        ("a,b,c\n1,2,3\nä,2,3\n".encode("latin-1"), [], ["t.csv, line 3", "not text in utf-8", "data.encoding"]),
        (HEAD, ["data.encoding=utf-99"], ["data.encoding=utf-99", "latin-1"]),
        (HEAD, ["data.encoding=punycode"], ["data.encoding=punycode", "latin-1"]),
        ("a,b,c\n1,2,\n,3,5\n", ["data.missing=drop"], ["t.csv has missing values in every row"]),
        (HEAD + "1,2\n", [], ["t.csv, line 5", "2 cells", "3 in the first line"]),
        (HEAD + "1,2,3,4\n", [], ["t.csv, line 5", "4 cells"]),
        ("a,a,c\n1,2,3\n", [], ["t.csv", "more than one column 'a'"]),
        (HEAD, ["data.inputs=[a,lenght]"], ["lenght is not a column of t.csv", "a, b, c"]),
        (HEAD.replace("b", "beta"), [], ["data.inputs: b is not a column", "a, beta, c"]),
        (HEAD.replace("b", "length"), ["data.inputs=[lenght]"], ["did you mean length"]),
        (HEAD, ["data.targets=[d]"], ["data.targets: d is not a column of t.csv"]),
        ("1,2,3\n4,5,6\n", [], ["a is not a column of t.csv: it has c1, c2, c3, as its first line names none"]),
        (HEAD, ["data.group=d"], ["data.group: d is not a column of t.csv"]),
        (HEAD, ["data.inputs=[a,c]"], ["c is among data.inputs and data.targets"]),
        (HEAD, ["data.inputs=[a,a]"], ["data.inputs=[a, a]", "each once"]),
        (HEAD, ["data.inputs=[]"], ["data.inputs=[]", "such as [a,b]"]),
        (
            HEAD,
            ["data.targets=[]"],
            ["data.targets=[] is not allowed: give a list of column names, each once, such as"],
        ),
        (HEAD + "1,red,2\n", [], ["t.csv, line 5: b is 'red', not a number", "data.categorical"]),
        (HEAD + '1,"2,5",2\n', [], ["t.csv, line 5: b is '2,5'", "decimal sign is the point"]),
        (HEAD + "1,2,\n", [], ["1 row with missing values (line 5)", "data.missing=drop"]),
        (HEAD + "NaN,2,1\n", [], ["1 row with missing values (line 5)"]),
        (HEAD + "1,inf,1\n", [], ["t.csv, line 5: b is inf", "1e+30"]),
        (HEAD + "1,-1e31,1\n", [], ["t.csv, line 5: b is -1e+31", "1e+30"]),
        ("a,b,c\n1,2,3\n2,3,3\n3,4,3\n", [], ["t.csv: the target c is 3 in every row"]),
        (
            "a,b,c\n1,0.3,3\n2,0.30000000000000004,4\n3,0.3,5\n4,0.3,9\n",
            [],
            ["b spans 5.55e-17 around 0.3", "rounding"],
        ),
        ("a,b,c\n1,2,3e-200\n2,3,-4e-200\n3,3,1e-200\n", ["data.val_fraction=0.3"], ["c spans", "above 1e-100"]),
        ("a,b,c\n1e-200,2,3\n1e-200,3,4\n1e-200,3,7\n", ["data.val_fraction=0.3"], ["a spans 1e-200", "1e-100"]),
        ("a,b,c\n1,2,3\n", [], ["t.csv has only 1 row"]),
        ("a,b,c\n1,2,3\n3,4,4\n", [], ["data.val_fraction=0.2", "2 of 2 rows"]),
        ("a,b,c\n", [], ["t.csv has no rows"]),
        (HEAD + "2024-01-31,1,2\n", [], ["t.csv, line 5: a is '2024-01-31', not a number but a date", "as numbers"]),
        (HEAD + "01/31/2024,1,2\n", [], ["t.csv, line 5: a is '01/31/2024'", "write dates as 2024-01-31"]),
        ("a,b,c\n2024-01,1,3\n2024-13,2,4\n", [], ["t.csv, line 3: a is '2024-13', not a date", "31.01.2024"]),
        ("a,b,c\n1,1,2024-01\n2,2,2024-02\n", [], ["t.csv, line 2: c is '2024-01'", "dates as numbers"]),
        (HEAD + '1,"1,599",2\n', [], ["t.csv, line 5: b is '1,599'", "sign is the point; write 1599 or 1.599."]),
        (
            "a;b;c\n1,5;1.599;2\n2;2,5;3\n",
            ["data.decimal=comma"],
            ["t.csv, line 2: b is '1.599'", "sign is the comma; write 1599 or 1,599."],
        ),
        (HEAD + "1,1 599,2\n", [], ["t.csv, line 5: b is '1 599', not a number; write numbers without thousands"]),
        ("a b c\n1 2 3\n4 5 6\n", [], ["t.csv separates its cells by blanks, as in '1 2 3'"]),
        ("# of 2024, cut\n1 2\n4 5\n4 6\n", [], ["t.csv separates its cells by blanks, as in '1 2'"]),
        ("measured\n\na,b,c\n1,2,3\n", [], ["t.csv begins with 'measured', which does not name the columns"]),
        ("a,b,c\nx,1,2\n", [], ["a is 'x', not a number; name a column of words in data.categorical, or leave it out"]),
        (
            "a,b,c\nu,1,2\nv,2,4\nw,3,4\nw,3,5\nx,3,6\n",
            ["data.categorical=[a]"],
            ["t.csv: a has 4 words in 5 rows, 3 of them in a single row", "leave a out of data.inputs"],
        ),
        ("a,b,c\n1,2,3\n", ["data.inputs=null", "data.targets=[a,b,c]"], ["no columns but a, b, c"]),
        (HEAD, ["data.inputs=null", "data.targets=[d]"], ["data.targets: d is not a column of t.csv"]),
        (HEAD, ["data.val_fraction=0"], ["data.val_fraction=0", "data.val_path"]),
        (HEAD, ["data.val_groups=[1]"], ["data.val_groups", "data.group"]),
        (HEAD, ["data.group=a", "data.val_groups=[7]"], ["data.val_groups=7", "column a of t.csv"]),
        (HEAD, ["data.group=a", "data.val_groups=[1,2,3]"], ["3 groups of a", "none is left"]),
        (HEAD, ["data.group=a", "data.val_path=t.csv"], ["data.val_path", "data.group"]),
        (HEAD, ["data.val_path=no.csv"], ["no.csv does not exist"]),
        (HEAD, ["data.categorical=[c]"], ["data.categorical=c", "data.inputs"]),
        (HEAD, ["data.missing=guess"], ["data.missing=guess", "refuse, drop"]),
        (HEAD, ["data.separator=dash"], ["data.separator=dash", "semicolon"]),
        (HEAD, ["data.header=maybe"], ["data.header=maybe", "auto"]),
        (HEAD, ["data.path=."], [". is not a file"]),
        (HEAD, ["data.path=???"], ["data.path is missing: give"]),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence(fit, content, arguments, words):
    if content is not None:
        Path("t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refused(fit, *ABC, *arguments)
    assert all(word in message for word in words), message


def test_a_column_of_words_is_refused_before_torch_is_imported(tmp_path):
    (tmp_path / "t.csv").write_text(HEAD.replace("2,3,5", "2,red,5"))
    script = (
        "import sys, atexit; sys.argv = ['train'] + sys.argv[1:]\n"
        "from fit.train import main, command\n"
        "atexit.register(lambda: print('heavy:', {'torch', 'lightning', 'matplotlib'} & set(sys.modules)))\n"
        "command(main)"
    )
    command = [sys.executable, "-c", script, "data=table", *ABC]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "heavy: set()\n"
    assert done.stderr.startswith("fit: t.csv, line 3: b is 'red', not a number; name a column of words in data.categ")


def test_what_must_be_given_is_asked_for(fit):
    assert refused(fit) == "fit: data.path is missing: give a CSV, TSV or Parquet file.\n"
    assert "data.targets is missing: give a list of column names" in refused(fit, "data.path=t.csv")


def test_durations_target_dates_and_lists_of_parquet_are_refused(fit):
    table = frame()
    table["b"] = pd.Timedelta(3, unit="s")
    table.to_parquet("t.csv")
    assert "t.csv: b holds duration[" in refused(fit, *ABC)
    table["b"] = pd.Timestamp("2024-01-01")
    table.to_parquet("t.csv")
    assert "t.csv: b holds dates; give them as numbers" in refused(fit, *ABC, "data.inputs=[a]", "data.targets=[b]")
    table["b"] = [[1, 2]] * len(table)
    table.to_parquet("t.csv")
    assert "t.csv: b holds list" in refused(fit, *ABC)
    assert "t.csv: b holds list" in refused(fit, *ABC, "data.categorical=[b]")


@pytest.mark.parametrize("kind", [pa.large_binary(), pa.binary(2)])
def test_columns_of_parquet_that_are_no_numbers_are_refused(fit, kind):
    cells = pa.array([b"12"] * 60, kind)
    parquet.write_table(pa.Table.from_pandas(frame()).set_column(1, "b", cells), "t.csv")
    assert f"t.csv: b holds {kind}, not numbers" in refused(fit, *ABC)


def test_a_second_file_of_nothing_but_missing_values_is_refused(fit):
    frame().to_csv("t.csv", index=False)
    Path("other.csv").write_text("a,b,c\n1,,3\n")
    message = refused(fit, *ABC, "data.val_path=other.csv", "data.missing=drop")
    assert "other.csv has missing values in every row" in message


def test_rows_of_parquet_are_named_by_their_number(fit):
    table = frame()
    table.loc[4, "b"] = np.inf
    table.to_parquet("t.csv")
    assert "t.csv, row 5: b is inf" in refused(fit, *ABC)


def test_a_step_of_more_rows_than_there_is_memory_for_is_refused(fit, monkeypatch):
    frame().to_csv("t.csv", index=False)
    monkeypatch.setattr("os.sysconf", lambda name: 2**10)  # a mebibyte in all
    wide = ("model.hidden=[2000]", "trainer.max_epochs=1")
    assert "with 48 rows, 48 in a step, needs about" in refused(fit, *ABC, *wide, "data.batch_size=null")
    assert fit(*QUICK, *ABC, *wide, "data.batch_size=2").code == 0


def test_a_word_that_the_training_file_lacks_is_refused(fit):
    frame().to_csv("t.csv", index=False)
    frame().replace({"who": {"g3": "g9"}}).to_csv("other.csv", index=False)
    arguments = ("data.path=t.csv", "data.inputs=[who,a]", "data.targets=[c]", "data.categorical=[who]")
    message = refused(fit, *arguments, "data.val_path=other.csv")
    assert "other.csv: who is 'g9', which t.csv does not have" in message


def test_without_pyarrow_it_is_said_what_to_install(fit, monkeypatch):
    frame().to_csv("t.csv", index=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for module in ("fit.data.table.file", "fit.data.table.rows"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert refused(fit, *ABC) == "fit: data=table needs pyarrow: pip install '.[table]' in the clone of fit.\n"
