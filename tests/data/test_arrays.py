"""data=arrays: the arrays of an .npz file, and what is refused in one sentence."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

QUICK = ("data=arrays", "data.path=a.npz", "trainer.max_epochs=2", "model.hidden=[4]", "logger=none")
RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(40, 2)), RANDOM.normal(size=(40, 1))


def test_the_rows_of_the_file_are_those_judged_on(fit):
    np.savez("a.npz", inputs=X, targets=Y, val_inputs=X[:7] + 9, val_targets=Y[:7] + 5, input_names=["u", "v"])
    run = fit(*QUICK)
    assert "40 rows" in run.out
    assert "judged on val (7" in run.out
    assert run.metrics["baseline/val/mean_mse"] == pytest.approx(float(((Y[:7] + 5 - Y.mean()) ** 2).mean()))
    assert run.checkpoint()["inputs"] == ["u", "v"]
    assert torch.equal(run.checkpoint()["high"], torch.from_numpy(X).amax(0))


def test_true_and_false_and_whole_numbers_are_numbers(fit):
    np.savez("a.npz", inputs=X > 0, targets=(9 * Y).astype(np.uint8))
    assert fit(*QUICK).code == 0


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"val_inputs": X[:, :1], "val_targets": Y}, "val_inputs is [40, 1]; give [rows, 2]"),
        ({"val_inputs": X, "val_targets": X}, "val_targets is [40, 2]; give [rows, 1]"),
        ({"val_inputs": X}, "holds no val_targets"),
        ({"val_targets": Y}, "holds no val_inputs"),
        ({"val_inputs": X[:3], "val_targets": Y[:2]}, "3 rows of val_inputs and 2 of val_targets"),
        ({"targets": Y[:3]}, "40 rows of inputs and 3 of targets"),
        ({"targets": Y[:, 0]}, "targets is [40]; give [rows, columns]"),
        ({"inputs": X[:, :0]}, "inputs is [40, 0]"),
        ({"inputs": X.astype(str)}, "inputs has the type <U32; give real numbers"),
        ({"targets": Y + 1j}, "targets has the type complex128; give real numbers"),
        ({"input_names": np.array(["u"])}, "input_names is ['u']; give a name for each of the inputs (2)"),
        ({"target_names": np.array("y")}, "target_names is y; give a name for each of the targets (1)"),
    ],
)
def test_arrays_that_cannot_be_are_refused(fit, arrays, words):
    np.savez("a.npz", **{"inputs": X, "targets": Y, **arrays})
    run = fit(*QUICK)
    assert (run.code, run.err.count("\n")) == (2, 1)
    assert words in run.err
    assert not Path("outputs").exists() or not list(Path("outputs").rglob("*.*"))


def test_a_damaged_file_is_refused(fit):
    np.savez_compressed("a.npz", inputs=X, targets=Y)
    with zipfile.ZipFile("a.npz") as archive:
        start = archive.getinfo("inputs.npy").header_offset + 60
    content = bytearray(Path("a.npz").read_bytes())
    content[start : start + 40] = b"\xff" * 40
    Path("a.npz").write_bytes(content)
    run = fit(*QUICK)
    assert (run.code, run.err) == (2, "fit: data.path=a.npz is not an .npz file that holds inputs and targets.\n")
