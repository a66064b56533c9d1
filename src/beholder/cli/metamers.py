"""``beholder metamers``: stimuli that a network cannot tell apart, and what other networks make of them."""

from beholder.cli._flags import make_app
from beholder.cli._metamers_judge import judge
from beholder.cli._metamers_make import make, template
from beholder.cli._metamers_null import null

app = make_app("metamers")
for _command in (judge, make, null, template):
    app.command(_command)
