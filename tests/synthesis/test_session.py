"""The session that all of synthesis works in: what runs side by side, how it ends, what happens without memory."""

from __future__ import annotations

import logging
import threading
from typing import Any

import numpy as np
import pytest
import torch

from beholder import BeholderError
from beholder.synthesis import Channel, Problem, synthesize
from beholder.synthesis.engine._loop import BatchRun
from beholder.synthesis.engine._recipe import make_recipe
from beholder.synthesis.engine._session import Cancelled, open_session

from .nets import make_model

MODEL = make_model()
SHAPE = (3, 16, 16)
RECIPE = make_recipe(
    MODEL, SHAPE, None, None, (), None, steps=2, stop=(), redirect_steps=0, samples=1, keep="last", transparency=False
)
PROBLEMS = [Problem(Channel("conv1", i), seed=i) for i in range(5)]
YARDSTICKS = [Channel("conv1", i) for i in range(5)]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_work_shares_its_parts_with_those_who_are_free(n: int) -> None:
    """More work than threads, each of which waits for parts of its own: all is done, and in order."""
    with open_session(MODEL, ["conv1"], SHAPE, n_concurrent_batches=n) as session:

        def work(i: int) -> list[int]:
            return session.share(lambda k: 10 * i + k, range(4))

        started = [session.submit(work, i) for i in range(6)]
        assert [finish() for finish in started] == [[10 * i + k for k in range(4)] for i in range(6)]


def test_parts_run_side_by_side() -> None:
    both = threading.Barrier(2, timeout=30)
    with open_session(MODEL, ["conv1"], SHAPE, n_concurrent_batches=2) as session:
        assert session.submit(session.share, lambda _: both.wait() >= 0, range(2))() == [True, True]


def test_one_by_one_work_is_done_where_it_is_waited_for() -> None:
    with open_session(MODEL, ["conv1"], SHAPE) as session:
        assert session.submit(threading.get_ident)() == threading.get_ident()


def test_what_runs_ends_with_the_session() -> None:
    began, ended = threading.Event(), []
    with pytest.raises(KeyboardInterrupt), open_session(MODEL, ["conv1"], SHAPE, n_concurrent_batches=2) as session:

        def work() -> None:
            began.set()
            try:
                while True:
                    session.check_cancelled()
            except Cancelled:
                ended.append(True)

        session.submit(work)
        assert began.wait(30)
        raise KeyboardInterrupt
    assert ended == [True]


def refuse_above(monkeypatch: pytest.MonkeyPatch, most: int, error: Exception) -> None:
    """Let no more than so many images fit in memory."""
    evaluate = BatchRun._evaluate

    def try_to_evaluate(run: BatchRun, params: torch.Tensor) -> Any:
        if len(params) > most:
            raise error
        return evaluate(run, params)

    monkeypatch.setattr(BatchRun, "_evaluate", try_to_evaluate)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("not enough memory"), MemoryError()]
)
def test_a_batch_without_room_is_redone_in_halves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    logging.getLogger("beholder").propagate = True
    counted: list[int] = []
    with open_session(MODEL, ["conv1"], SHAPE) as session:
        whole = session.run(PROBLEMS, RECIPE, yardsticks=YARDSTICKS, fill_to=8)
        refuse_above(monkeypatch, 2, error)
        made = session.run(PROBLEMS, RECIPE, yardsticks=YARDSTICKS, fill_to=8, advance=counted.append, what="pictures")
    assert [each.batch for each in whole] == ["batch"] * 5
    assert [each.batch for each in made] == ["batcha", "batcha", "batchba", "batchbb", "batchbb"]
    assert not any(each.is_halved for each in whole)
    assert all(each.is_halved for each in made)
    assert sum(counted) == RECIPE.steps * len(PROBLEMS)
    for one, other in zip(whole, made, strict=True):
        np.testing.assert_allclose(other.images, one.images, atol=1e-3)
        np.testing.assert_allclose(other.scores, one.scores, rtol=1e-3)
    assert "out of memory with 5 pictures in a batch; redone in halves" in caplog.text


def test_what_does_not_fit_by_itself_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_above(monkeypatch, 0, torch.OutOfMemoryError("CUDA out of memory"))
    with open_session(MODEL, ["conv1"], SHAPE) as session:
        with pytest.raises(BeholderError, match="expected picture 0 to fit in memory; got CUDA out of memory; try"):
            session.run(PROBLEMS, RECIPE, wanted=[f"picture {i}" for i in range(5)])
        with pytest.raises(torch.OutOfMemoryError):
            session.run(PROBLEMS, RECIPE)


def test_other_errors_are_no_lack_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_above(monkeypatch, 0, RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match="shapes differ"):
        synthesize(MODEL, PROBLEMS, steps=1, threads=1)


def test_images_are_scored_as_they_are_and_as_their_files_hold_them() -> None:
    from beholder.synthesis import score_images
    from beholder.synthesis.engine._stimulus_format import StimulusFormat

    form = StimulusFormat.of_model(MODEL, SHAPE)
    with open_session(MODEL, ["conv1"], SHAPE) as session:
        made = session.run(PROBLEMS[:2], RECIPE, yardsticks=YARDSTICKS[2:4], form=form, fill_to=4)
    assert len(made) == 2
    for each, yardstick in zip(made, YARDSTICKS[2:4], strict=True):
        np.testing.assert_allclose(each.scores, score_images(MODEL, yardstick, each.images), rtol=1e-4)
        np.testing.assert_allclose(
            each.saved_scores, score_images(MODEL, yardstick, form.round(each.images)), rtol=1e-4
        )
