"""Processes forked from one server that has everything heavy loaded, for tests that kill or stop them.

A test process has one such server, and what it loads is settled when the first process starts.
"""

from __future__ import annotations

import multiprocessing
from importlib.util import find_spec

from PIL import _plugins

MODULES = (
    "h5py",
    "pandas",
    "pyarrow.parquet",
    "torch",
    "torchvision",
    *(f"PIL.{name}" for name in _plugins),
    "beholder.activations.extraction._extract",
    "beholder.activations.panel._extract",
    "beholder.cli.extract",
    "beholder.cli.metamers",
    "beholder.cli.panel",
    "beholder.cli.stimuli",
    "beholder.cli.tasks",
    "beholder.cli.units",
    "beholder.experiments.build._static_page",
    "beholder.stimuli.assets._fetch",
    "beholder.synthesis.metamers._make",
    "beholder.synthesis.null._distribution",
    "beholder.synthesis.visualizations._optimize",
    "beholder.units._exemplar_files",
    "beholder.units._maps",
)
assert all(map(find_spec, MODULES))  # the server passes over what is not there without a word
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload([*MODULES])
