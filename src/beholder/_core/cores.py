"""Cores that this process may use: those of the machine, or the part of it that a job was given."""

from __future__ import annotations

import os


def count_cores() -> int:
    """How many cores there are for this process.

    A queue gives a job some cores of a machine, by the affinity of its processes or, on clusters that bind none, by the
    variable ``SLURM_CPUS_PER_TASK`` alone.

    >>> count_cores() >= 1
    True
    """
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        cores = len(os.sched_getaffinity(0))
    told = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(cores, int(told)) if told.isdecimal() and int(told) else cores
