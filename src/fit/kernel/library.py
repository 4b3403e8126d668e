"""The kernel as a library: compiled once by the machine's own C compiler, and kept in the user's cache folder."""

import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from ctypes import CDLL, POINTER, c_int, c_int64
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path

from fit.errors import FitError
from fit.folder import write_atomically
from fit.kernel.code import sources
from fit.kernel.task import Task

# No compiler decides what is one operation (-ffp-contract=off), and nothing is reordered: the bits are the source's.
FLAGS = ("-std=gnu11", "-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-w", "-shared", "-fPIC")
# The instructions of this processor; a compiler that does not know the one may know the other.
NATIVE = (("-march=native",), ("-mcpu=native",), ())
SECONDS = 120


class KernelError(Exception):
    """There is no kernel on this machine; the message says why, as what follows its name."""


def load_library(double: bool) -> CDLL:
    """Return the kernel in single or double precision; raise KernelError where it cannot be had."""
    found = attempt(double)
    if isinstance(found, KernelError):
        raise found
    return found


@cache
def attempt(double: bool) -> CDLL | KernelError:
    """Load the kernel, compiled now or before, once in a process; or return why it cannot be had."""
    if os.name != "posix":
        return KernelError("needs Linux or macOS")
    try:
        command, folder = find_compiler(), user_cache_path("fit") / "kernels"
        name = f"{'double' if double else 'single'}-{key(command)}"
        library = find_built(folder, name) or build(folder, name, command, double)
    except KernelError as error:
        return error
    library.needed.argtypes, library.needed.restype = [POINTER(Task), c_int], c_int64
    library.train.argtypes, library.train.restype = [POINTER(Task), c_int, c_int], None
    return library


def find_compiler() -> tuple[str, ...]:
    """Return the command of a C compiler: $CC, cc, gcc, clang, or that of the package ziglang."""
    named = shlex.split(os.environ.get("CC", ""))
    for command in (named, ["cc"], ["gcc"], ["clang"]):
        if command and (found := shutil.which(command[0])):
            return (found, *command[1:])
    if find_spec("ziglang"):
        return (sys.executable, "-m", "ziglang", "cc")
    raise KernelError("needs a C compiler: install gcc or clang, or pip install '.[kernel]' in the clone of fit")


def key(command: Sequence[str]) -> str:
    """Return a name for what is compiled: by source, flags, compiler and processor."""
    parts = [*sources().values(), *FLAGS, *command, processor(), sys.platform]
    compiler = Path(command[0]).resolve()
    with suppress(OSError):
        parts += [str(compiler), str(compiler.stat().st_size), str(compiler.stat().st_mtime_ns)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def processor() -> str:
    """Describe this machine's processor: one home folder may be used by several machines."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n\n")[0].splitlines()
        known = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags", "Features", "CPU part")
        return "\n".join(line for line in lines if line.split("\t")[0].split(":")[0].strip() in known)
    return f"{platform.machine()} {platform.processor()}"


def is_private(path: Path) -> bool:
    """Whether a file or folder is the user's own, no link, and nobody else can write to it."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return (
        not stat.S_ISLNK(found.st_mode)
        and found.st_uid == os.getuid()
        and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def find_built(folder: Path, name: str) -> CDLL | None:
    """Load what was compiled before, if nobody else can have written it and it is whole.

    The name of its file ends in the hash of what it holds.
    """
    if is_private(folder):
        for path in sorted(folder.glob(f"{name}-*.so")):
            with suppress(OSError):
                if is_private(path) and path.name == f"{name}-{content_hash(path)}.so":
                    return CDLL(str(path))
    return None


def content_hash(path: Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


def build(folder: Path, name: str, command: Sequence[str], double: bool) -> CDLL:
    """Compile and load the kernel, and keep it for other processes where that can be; raise KernelError if it fails."""
    try:
        with tempfile.TemporaryDirectory(prefix="fit-") as work:
            for file, text in sources().items():
                Path(work, file).write_text(text, encoding="utf-8")
            made = compile_source(Path(work), command, ("-DDOUBLE",) if double else ())
            with suppress(OSError, FitError):
                keep(made, folder, name)
            # A folder of temporary files may forbid to run them.
            return find_built(folder, name) or CDLL(str(made))
    except OSError as error:
        raise KernelError(f"cannot be compiled or loaded ({error.strerror or error})") from None


def keep(made: Path, folder: Path, name: str) -> None:
    """Copy what was compiled into the cache folder, so that another process finds all of it or nothing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if is_private(folder):
        path = folder / f"{name}-{content_hash(made)}.so"
        write_atomically(path, made.read_bytes())
        path.chmod(0o600)


def compile_source(work: Path, command: Sequence[str], defines: Sequence[str]) -> Path:
    """Run the compiler; raise KernelError with its first complaint if it fails."""
    complaint = ""
    for native in NATIVE:
        arguments = [*command, *FLAGS, *native, *defines, "-o", "kernel.so", "kernel.c", "-lm"]
        try:
            done = subprocess.run(arguments, cwd=work, capture_output=True, text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise KernelError(f"was not compiled by {command[0]} in {SECONDS} s") from None
        if done.returncode == 0 and (work / "kernel.so").exists():
            return work / "kernel.so"
        complaint = complaint or next((line for line in done.stderr.splitlines() if "error" in line), "it failed")
    raise KernelError(f"cannot be compiled by {command[0]} ({complaint.strip()})")
