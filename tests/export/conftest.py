from types import SimpleNamespace

import pytest

from fit.export.__main__ import ENDINGS, main


@pytest.fixture
def export(tmp_path, capfd):
    """Return a function that exports and says how it went."""

    def call(folder, kind, *arguments):
        code = main([str(folder), "--format", kind, *arguments])
        captured = capfd.readouterr()
        return SimpleNamespace(code=code, out=captured.out, err=captured.err, path=folder / f"network{ENDINGS[kind]}")

    return call
