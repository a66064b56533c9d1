"""What a page without a server hands over, made without a browser."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

from tests.experiments.person import RESPONSES

BEGUN = 1_800_000_000_000


def read_page(page: Path) -> dict[str, Any]:
    """The data that a page was written with."""
    found = re.search(r'<script[^>]*id="beholder-static"[^>]*>(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def is_right(key: dict[str, Any] | None, response: dict[str, Any]) -> bool | None:
    """As the page says it."""
    return None if key is None else all(response.get(name) == value for name, value in key.items())


def collect(
    page: Path, session: str = "a", seed: int = 0, parameters: dict[str, str] | None = None, end: str = "done"
) -> dict[str, Any]:
    """What a page hands over, after a participant who answers at random; scored as the page does, by places."""
    data, rng, now = read_page(page), random.Random(seed), BEGUN

    def answer(payload: dict[str, Any], **more: Any) -> dict[str, Any]:
        nonlocal now
        now += 1000
        key, response = payload["correct"], rng.choice(RESPONSES[data["kind"]])
        while end == "screened_out" and is_right(key, response):
            response = rng.choice(RESPONSES[data["kind"]])
        correct = is_right(key, response)
        body = {"response": response, "rt_ms": 500, "shown_at": now, "frames": {"dropped": 0}, "window": {"dpr": 1}}
        return {**more, "id": payload["id"], "trial": payload["trial"], "n": payload["n"], **body, "correct": correct}

    def step(name: str, **sent: Any) -> dict[str, Any]:
        return {"step": name, "data": sent, "at_ms": now}

    record: dict[str, Any] = {name: data[name] for name in ("name", "task", "kind", "plan_hash")}
    record |= {"session": session, "begun": BEGUN, "ended": BEGUN, "end": end, "parameters": parameters or {}}
    record |= {"screen": {"width": 1280}, "steps": [step("consent", version="1", agreed=end != "declined")]}
    record |= {"practice": [], "answers": []}
    if end == "declined":
        return record
    record["steps"] += [step("instructions", total_ms=9), step("checks")]
    blocks = data["practice"]
    if end == "screened_out":
        record["practice"] = [answer(p, block=k) for k, block in enumerate(blocks, start=1) for p in block]
        return record
    if blocks:
        record["practice"] = [answer(payload, block=1) for payload in blocks[0]]
    record["answers"] = [answer(payload) for payload in data["main"]]
    record["steps"] += [step("comment", text="fine")] if data["settings"]["comment"] else []
    record["steps"] += [step("debrief")]
    return record
