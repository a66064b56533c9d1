"""What a type checker sees of the public names. Not run: pyright reads it, and a superfluous ignore is an error."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import beholder as bh
from beholder.experiments import read_experiment, serve
from beholder.synthesis import Channel, synthesize

net = bh.load_model("beholder:shapes", device="cpu")
assert_type(net, bh.Model)
assert_type(bh.extract(net, "images", ["block1"], batch_size=3), bh.Activations)
assert_type(bh.record_units(net, "images", dtype="float16"), bh.Activations)
assert_type(bh.extract_panel("images", "out", replicates=2), list[Path])
assert_type(bh.optimize_units(net, "units.json", steps=16), bh.Visualizations)
assert_type(bh.find_exemplars("activations", "units.json").units, tuple[bh.Unit, ...])

bh.extract(net, "images", ["block1"], bacth_size=3)  # pyright: ignore[reportCallIssue]
bh.extract(net, "images", ["block1"], batch_size="3")  # pyright: ignore[reportArgumentType]
bh.record_units(net, "images", bacth_size=3)  # pyright: ignore[reportCallIssue]
bh.extract_panel("images", "out", workes=2)  # pyright: ignore[reportCallIssue]
bh.optimize_units(net, "units.json", step=16)  # pyright: ignore[reportCallIssue]
bh.make_metamers(net, "images", iteration=10)  # pyright: ignore[reportCallIssue]
bh.null_distribution(net, "images", pairs=10)  # pyright: ignore[reportCallIssue]
bh.load_modle("alexnet")  # pyright: ignore
synthesize(net, Channel("block1", 0), n_image=2)  # pyright: ignore[reportCallIssue]
serve(read_experiment("tasks"), None, port="80")  # pyright: ignore[reportArgumentType]
