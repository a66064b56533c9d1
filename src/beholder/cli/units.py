"""``beholder units``: draw units, record them, find and make the stimuli that drive them."""

from beholder.cli._flags import make_app
from beholder.cli._units_maps import maps, occlude
from beholder.cli._units_optimize import optimize
from beholder.cli._units_record import exemplars, record
from beholder.cli._units_sample import sample, split

app = make_app("units")
for _command in (optimize, maps, occlude, sample, split, record, exemplars):
    app.command(_command)
