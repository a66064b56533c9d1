"""A participant who speaks HTTP as the pages do, over Starlette's own client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from beholder.experiments import Experiment, create_app, open_store, read_experiment
from beholder.responses import ResponseStore

BASE = "http://127.0.0.1:8000"
RESPONSES: dict[str, list[dict[str, Any]]] = {
    "2afc": [{"choice": c, "confidence": k} for c in ("upper", "lower") for k in (1, 2, 3)],
    "counterfactual": [{"choice": c, "confidence": k} for c in ("left", "right") for k in (1, 2, 3)],
    "recognition": [{"label": "cat"}, {"label": "dog"}],
    "words": [{"word": "young"}, {"word": "ability"}],
    "same_different": [{"choice": "same"}, {"choice": "different"}],
    "odd_one_out": [{"choice": 0}, {"choice": 1}, {"choice": 2}],
    "similarity": [{"rating": 1}, {"rating": 7}],
}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def serving(folder: Path, db: Path, **options: Any) -> Iterator[tuple[TestClient, ResponseStore]]:
    """The application over a built folder, without a socket."""
    experiment = read_experiment(folder)
    options.setdefault("limits", None)
    with open_store(experiment, db) as store, TestClient(create_app(experiment, store, **options), BASE) as client:
        yield client, store


class Person:
    """One browser tab with a token."""

    def __init__(self, client: TestClient, token: str | None = None, **params: str) -> None:
        self.client = client
        self.seen: list[Any] = []
        if token is None:
            made = self.client.post("/api/join", json={"recruiter_params": params, "screen": {"width": 1280}})
            assert made.status_code == 201, made.text
            token = made.json()["token"]
        self.token = token

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        reply = self.client.request(
            method, path, json=body, headers={"Authorization": f"Bearer {self.token}", **headers}
        )
        self.seen.append(reply)
        return reply

    def state(self) -> dict[str, Any]:
        return self.ask("GET", "/api/state").json()

    def step(self, step: str, **data: Any) -> Any:
        return self.ask("POST", "/api/step", {"step": step, "data": data, "at_ms": 1})

    def trials(self, query: str = "") -> list[dict[str, Any]]:
        reply = self.ask("GET", f"/api/trials{query}")
        assert reply.status_code == 200, reply.text
        return reply.json()

    def begin(self) -> dict[str, Any]:
        """Up to the first trial."""
        assert self.step("consent", version="1", agreed=True).status_code == 200
        assert self.step("instructions", pages_ms={"units": 900}, total_ms=900).status_code == 200
        reply = self.step("checks", headphones={"n": 6, "n_correct": 6})
        assert reply.status_code == 200, reply.text
        return reply.json()

    def answer(self, trial: dict[str, Any], response: Any, rt_ms: float = 1700.5, **more: Any) -> Any:
        body = {"response": response, "rt_ms": rt_ms, "shown_at": 5, "frames": {}, "window": {"dpr": 1}, "audio": {}}
        return self.ask("PUT", f"/api/trials/{trial['id']}", body | more)

    def go_through(self, step: str, choose: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """Answer trials until the step is another one."""
        state = self.state()
        while state["step"] == step:
            for trial in self.trials():
                reply = self.answer(trial, choose(trial))
                assert reply.status_code == 200, reply.text
            state = self.state()
        return state


def find_by_bytes(experiment: Experiment) -> dict[bytes, tuple[int, int, str]]:
    """File content to task, trial and slot."""
    trials = [(0, trial) for trial in experiment.practice]
    trials += [(task.index, trial) for task in experiment.tasks for trial in task.trials]
    return {path.read_bytes(): (task, t.n, slot) for task, t in trials for slot, path in t.files.items()}


def make_ideal(client: TestClient, experiment: Experiment) -> Callable[[dict[str, Any]], Any]:
    """Answers right, by looking up in the folder what the server shows."""
    known = find_by_bytes(experiment)

    def look(address: str) -> tuple[int, int, str]:
        return known[client.get(address).content]

    def choose(trial: dict[str, Any]) -> Any:
        stimuli, kind = trial["stimuli"], trial["kind"]
        first = next(iter(stimuli.values()))
        task, n, _ = look(first[0] if isinstance(first, list) else first)
        rows = experiment.get_task(task).trials if task else experiment.practice
        correct = rows[n - 1].correct
        if kind == "2afc":
            return {"choice": next(p for p in ("upper", "lower") if look(stimuli[p])[2] == correct), "confidence": 3}
        if kind == "counterfactual":
            return {"choice": next(p for p in ("left", "right") if look(stimuli[p])[2] == correct), "confidence": 3}
        if kind == "odd_one_out":
            return {"choice": [look(address)[2] for address in stimuli["items"]].index(str(correct))}
        if kind == "similarity":
            return {"rating": 4}
        return {{"recognition": "label", "words": "word"}.get(kind, "choice"): correct}

    return choose
