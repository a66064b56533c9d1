"""``beholder evaluate``: networks as observers in experiments that people took."""

from beholder.cli._evaluate_adversarial import adversarial
from beholder.cli._evaluate_battery import battery
from beholder.cli._flags import make_app

app = make_app("evaluate", "Networks in experiments that people took.")
app.command(battery)
app.command(adversarial)
