from __future__ import annotations

import pytest

from bench.deadline import poll


def test_the_first_answer_ends_the_wait() -> None:
    answers = iter([None, None, 0])
    assert poll(lambda: next(answers), seconds=10, pause_seconds=0) == 0


def test_a_condition_that_never_comes_true_is_named() -> None:
    with pytest.raises(TimeoutError, match=r"the outbox did not come true within 0 s"):
        poll(lambda: None, seconds=0, what="the outbox")
