"""The compiled kernel: kept where nobody else can write, never loaded from elsewhere, and never needed."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from platformdirs import user_cache_path

from fit.kernel import library
from fit.kernel.library import KernelError, load_library

QUICK = ("data.points=16", "trainer.max_epochs=2", "logger=none", "figures=false", "hydra.run.dir=r")


@pytest.fixture(scope="module")
def made():
    """The kernel in single precision, as the real compiler makes it."""
    load_library(False)
    return max((user_cache_path("fit") / "kernels").glob("single-*.so"), key=lambda path: path.stat().st_mtime)


@pytest.fixture
def compiler(made, tmp_path, monkeypatch):
    """A compiler that is done at once, and writes down that it was called; the cache is empty."""
    script = tmp_path / "cc"
    script.write_text(f"#!/bin/sh\necho called >> {tmp_path}/calls\ncp {made} kernel.so\n")
    script.chmod(0o700)
    monkeypatch.setenv("CC", str(script))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    library.attempt.cache_clear()
    yield script
    library.attempt.cache_clear()


def load():
    library.attempt.cache_clear()
    return load_library(False)


def calls(tmp_path):
    path = tmp_path / "calls"
    return path.read_text().count("called") if path.exists() else 0


def kept(tmp_path):
    return sorted((tmp_path / "cache" / "fit" / "kernels").glob("*.so"))


def test_it_is_compiled_once(compiler, tmp_path):
    load()
    load()
    [path] = kept(tmp_path)
    assert calls(tmp_path) == 1
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_another_compiler_or_processor_has_its_own(compiler, tmp_path, monkeypatch):
    load()
    os.utime(compiler, (1, 1))  # an update of the compiler
    load()
    monkeypatch.setattr(library, "processor", lambda: "another")
    load()
    assert len(kept(tmp_path)) == calls(tmp_path) == 3


def test_what_is_damaged_or_others_can_write_to_is_not_loaded(compiler, tmp_path):
    load()
    [path] = kept(tmp_path)
    whole = path.read_bytes()
    path.unlink()  # this process has it in use
    path.write_bytes(whole[:1000])
    path.chmod(0o600)
    load()
    assert (calls(tmp_path), path.read_bytes() == whole) == (2, True)
    path.chmod(0o666)
    load()
    assert calls(tmp_path) == 3
    path.parent.chmod(0o777)
    load()
    load()
    assert calls(tmp_path) == 5
    path.parent.chmod(0o700)
    aside = path.rename(tmp_path / "elsewhere.so")
    path.symlink_to(aside)
    load()
    assert calls(tmp_path) == 6


def test_a_cache_that_cannot_be_written_to_is_done_without(compiler, tmp_path):
    (tmp_path / "cache").write_text("a file")
    load()
    load()
    assert calls(tmp_path) == 2


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'kernel.c:1: error: no such thing' >&2; exit 1", "cannot be compiled by .* no such thing"),
        ("exit 0", "cannot be compiled by .*it failed"),
        ("echo nonsense > kernel.so", "cannot be compiled or loaded"),
    ],
)
def test_a_broken_compiler_is_told_and_the_run_goes_on(compiler, fit, script, words):
    compiler.write_text(f"#!/bin/sh\n{script}\n")
    with pytest.raises(KernelError, match=words):
        load()
    run = fit(*QUICK)
    assert run.code == 0, run.err
    assert run.metrics["engine"] == "eager"
    assert [line for line in run.out.splitlines() if line.startswith("engine     eager (kernel cannot be")]
    refused = fit(*QUICK, "engine=kernel", "hydra.run.dir=other")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "engine=kernel cannot be" in refused.err


def test_without_a_compiler_it_says_what_to_install(compiler, fit, tmp_path, monkeypatch):
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    run = fit(*QUICK)
    assert run.code == 0, run.err
    assert "engine     eager (kernel needs a C compiler: install gcc or clang, or pip install" in run.out
    assert run.metrics["engine"] == "eager"


def test_two_at_once_each_find_a_whole_one(compiler, tmp_path):
    source = "from fit.kernel.library import load_library; load_library(False)"

    def start(number):
        return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)

    with ThreadPoolExecutor() as pool:
        done = list(pool.map(start, range(3)))
    assert [each.returncode for each in done] == [0, 0, 0], done
    [path] = kept(tmp_path)
    assert path.stem.endswith(library.content_hash(path))
    assert not [each for each in path.parent.iterdir() if each != path]
