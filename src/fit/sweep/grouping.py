"""Which jobs of a sweep are trained together in one stack."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from fit.job import Job
from fit.settings.identity import identity, plain, shared

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# The part of the free memory that a stack may use, and the bytes of a member's settings, files and events.
PART_OF_MEMORY = 0.5
BYTES_BESIDE = 400_000
# Weights, gradients and optimizer state, with copies for the last and the best checkpoint.
COPIES_OF_WEIGHTS = 12
COPIES_OF_VALUES = 6
# What a module of a user's own is taken to be as large as.
OWN_MODULE = (64, 64)
# Files that a member keeps open: its folder's lock, its events.
FILES = 2


def group_jobs(jobs: Iterable[Job], most: int | None, at_once: int = 1) -> list[list[Job]]:
    """Group jobs that can share a stack, at most `most` of them (None: as many as fit into memory).

    With `at_once`, there are at least that many stacks to train at the same time, if there are enough jobs.
    """
    groups: dict[object, list[Job]] = {}
    for job in jobs:
        groups.setdefault((shared(job.cfg), job.environment), []).append(job)
    return [
        part for members in groups.values() for part in split_evenly(members, most or most_members(members, at_once))
    ]


def split_evenly(members: Sequence[Job], most: int) -> Iterator[list[Job]]:
    """Split a group into as few stacks of about equal size as possible."""
    parts = -(-len(members) // most)
    size = -(-len(members) // parts)
    return (list(members[start : start + size]) for start in range(0, len(members), size))


def most_members(members: Sequence[Job], at_once: int) -> int:
    """Return how many members of a group fit into a stack's share of memory and open files."""
    cfg = members[0].cfg
    widths = list(cfg.model.get("hidden") or OWN_MODULE)
    weights = sum(fan_in * fan_out for fan_in, fan_out in pairwise([8, *widths, 8]))
    rows = cfg.data.get("points") or 0
    batch = min(cfg.data.get("batch_size") or rows, rows or 1024) or 1024
    data = rows * 200 if len({identity(plain(each.cfg.data)) for each in members}) > 1 else 0
    size = 8 if cfg.trainer.precision == "64-true" else 4
    bytes_each = size * (COPIES_OF_WEIGHTS * weights + COPIES_OF_VALUES * batch * sum(widths)) + data + BYTES_BESIDE
    room = int(PART_OF_MEMORY * free_memory() / bytes_each) // at_once
    networks = min(room, raise_file_limit() // FILES) // members[0].networks
    return max(1, min(networks, -(-len(members) // at_once)))


def free_memory() -> int:
    """Return the free memory in bytes, or a guess if the system does not tell."""
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 4 * 2**30


def raise_file_limit() -> int:
    """Raise the limit of open files as far as possible, and return how many more this process may open."""
    if resource is None:
        return 400
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2**16 if hard == resource.RLIM_INFINITY else min(hard, 2**16)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return 2**16 if soft == resource.RLIM_INFINITY else max(2, soft - 200)
