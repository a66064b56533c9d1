"""``beholder metamers``: stimuli that a network cannot tell apart, and what other networks make of them."""

from __future__ import annotations

from beholder.cli._judge_run import judge
from beholder.cli._options import make_app

app = make_app("metamers", "Metamers: stimuli that a network cannot tell apart, and what other networks make of them.")
app.command(judge)
