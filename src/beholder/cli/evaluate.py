"""``beholder evaluate``: how often networks are right, and networks in experiments that people took."""

from beholder.cli._evaluate_adversarial import adversarial
from beholder.cli._evaluate_battery import battery
from beholder.cli._evaluate_natural import natural
from beholder.cli._flags import make_app

app = make_app("evaluate")
app.command(natural)
app.command(battery)
app.command(adversarial)
