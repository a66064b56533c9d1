"""How long brief pictures are shown: the distribution of errors by the times of frames, in three browsers.

Usage: python benchmarks/presentation.py [--browsers chromium firefox webkit] [--times 50 100 200] [--trials 60]
       [--kind recognition|same_different]

Whole trials in the real pages of a real server, answered at once by a script, figures as the export has them. *asked*
is the setting, *nearest* the whole frames that come nearest to it at the screen's own interval; *error* is shown -
asked, in ms. The opponent, *timeout*, is a picture taken down by ``setTimeout`` in the same page, its times rounded up
to the frames that put it up and took it down. What the screen does with a frame is known to a photodiode alone. A free
machine, please: a browser that has to wait misses frames.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from peers import import_browser_tests, stop  # noqa: E402

open_lab = import_browser_tests("tests.browser.conftest").open_lab
open_firefox = import_browser_tests("tests.browser.firefox").open_firefox
open_webkit = import_browser_tests("tests.browser.webkit").open_webkit
find_program = import_browser_tests("tests.browser.processes").find_program

from beholder.responses import read_responses  # noqa: E402

PLAIN = {
    "fixation_ms": 100, "gap_ms": 100, "mask_ms": 100, "slow_n": 0, "break_fractions": [], "comment": False,
    "practice.n_with_feedback": 0, "practice.n_without": 0, "practice.n_obvious": 0, "practice.n_required": 0,
}  # fmt: skip
ANSWER = """() => {
    window.answering = setInterval(() => {
        const ready = (selector) => document.querySelector(`${selector}:not([disabled])`);
        const button = document.body.dataset.screen === "trial" ? ready("[data-answer]") : ready("button.main");
        button?.click();
    }, 30);
}"""
TIMEOUTS = """async ([ms, n]) => {
    const frame = () => new Promise(requestAnimationFrame);
    const part = document.createElement("p");
    document.body.append(part);
    const shown = [];
    for (let k = 0; k < n; k += 1) {
        for (let j = 0; j < 6; j += 1) await frame();
        const start = await frame();
        part.textContent = "shown";
        await new Promise((resolve) => setTimeout(resolve, ms));
        part.textContent = "";
        shown.push((await frame()) - start);
    }
    part.remove();
    return shown;
}"""
SECONDS = 600


@contextlib.contextmanager
def open_chromium() -> Iterator[Any]:
    """Chromium by Playwright."""
    sync_playwright = import_browser_tests("playwright.sync_api").sync_playwright
    program = find_program("chromium", "chromium-browser", "google-chrome")
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with (
        sync_playwright() as playwright,
        contextlib.closing(playwright.chromium.launch(executable_path=program, args=flags)) as browser,
    ):
        yield browser


APT = "apt install chromium firefox-esr webkit2gtk-driver xvfb xdotool pulseaudio"
OPENERS = {"chromium": open_chromium, "firefox": open_firefox, "webkit": open_webkit}


def measure(browser: Any, kind: str, ms: int, n: int) -> tuple[list[dict[str, Any]], list[float]]:
    """Rows of the export, and how long pictures last that a timeout takes down."""
    with tempfile.TemporaryDirectory() as folder, open_lab(browser, Path(folder)) as lab:
        url = lab.serve(kind, n, {**PLAIN, "stimulus_ms": ms, "feedback": "never"})
        page = lab.invite(url).page
        page.evaluate(ANSWER)
        end = time.monotonic() + SECONDS
        while page.evaluate("document.body.dataset.screen") != "end":
            if time.monotonic() > end:
                raise SystemExit(f"still at {page.evaluate('document.body.dataset.screen')} after {SECONDS} s")
            time.sleep(0.5)
        page.evaluate("clearInterval(window.answering)")
        timeouts = page.evaluate(TIMEOUTS, [ms, n])
        return read_responses(lab.database).trials.to_dict("records"), timeouts


def describe(errors: np.ndarray) -> str:
    """Mean, spread and quantiles of errors in ms."""
    low, q5, middle, q95, high = np.quantile(errors, [0, 0.05, 0.5, 0.95, 1])
    return (
        f"mean {errors.mean():+6.2f}  SD {errors.std(ddof=1):5.2f}  min {low:+6.1f}  5 % {q5:+6.1f}  "
        f"median {middle:+6.1f}  95 % {q95:+6.1f}  max {high:+6.1f}"
    )


def report(name: str, kind: str, ms: int, rows: list[dict[str, Any]], timeouts: list[float]) -> None:
    """Print the distribution of errors."""
    places = ["stimulus"] if kind == "recognition" else ["first", "second"]
    shown = np.array([row[f"shown_{place}_ms"] for row in rows for place in places], float)
    frames = np.array([row[f"{place}_frames"] for row in rows for place in places], float)
    asked = np.array([row["asked_stimulus_frames"] for row in rows for _ in places], float)
    missed = np.array([row["missed_stimulus_frames"] for row in rows], float)
    interval = np.array([row["frame_interval_ms"] for row in rows], float)
    step = np.array([row["clock_step_ms"] for row in rows], float)
    print(
        f"{name:9} {ms:4d} ms  interval {np.median(interval):6.2f} ms, clock {np.median(step):5.3f} ms, nearest "
        f"{np.median(asked * interval.repeat(len(places))):6.1f} ms; n {len(shown)}, as many frames as asked "
        f"{100 * (frames == asked).mean():5.1f} %, trials with missed frames {100 * (missed > 0).mean():4.1f} %"
    )
    print(f"{'':9} {'':4}  error    {describe(shown - ms)}")
    print(f"{'':9} {'':4}  timeout  {describe(np.array(timeouts) - ms)}", flush=True)


def main() -> None:
    """Measure in each browser."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--browsers", nargs="+", choices=OPENERS, default=list(OPENERS))
    parser.add_argument("--times", nargs="+", type=int, default=[50, 100, 200])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--kind", choices=["recognition", "same_different"], default="recognition")
    asked = parser.parse_args()
    for name in asked.browsers:
        try:
            with OPENERS[name]() as browser:
                for ms in asked.times:
                    report(name, asked.kind, ms, *measure(browser, asked.kind, ms, asked.trials))
        except import_browser_tests("pytest").skip.Exception as absent:
            stop(name, str(absent), f"{APT}, or --browsers with others")


if __name__ == "__main__":
    main()
