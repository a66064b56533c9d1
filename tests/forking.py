"""Processes forked from one server that has everything heavy loaded, for tests that kill or stop them.

A test process has one such server, and what it loads is settled when the first process starts.
"""

from __future__ import annotations

import multiprocessing

ROOMS = (
    "activations._panel",
    "cli._main",
    "stimuli._asset_fetch",
    "synthesis._make_metamers",
    "synthesis._null_distribution",
    "synthesis._optimize_units",
    "units._exemplar_files",
    "units._maps",
)
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["torch", "torchvision", "pandas", "pyarrow.parquet", *(f"beholder.{r}" for r in ROOMS)])
