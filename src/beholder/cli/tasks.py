"""``beholder tasks``: experiments with people, from the plan to the data."""

from beholder.cli._flags import make_app
from beholder.cli._tasks_plan import build, plan
from beholder.cli._tasks_serve import backup, export, forget, import_, serve, status, upgrade
from beholder.cli._tasks_simulate import simulate

app = make_app("tasks")
for _command in (serve, simulate, export, status, backup, upgrade, forget):
    app.command(_command)
app.command(import_, name="import")
app.command(plan)
app.command(build)
