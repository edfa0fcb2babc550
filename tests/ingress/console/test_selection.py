from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import InvalidInputError
from ingress.console.selection import DeadLettersInput
from ingress.forms import parse
from resilience.dead_letters import ALL, DeadLetterFilter


def test_blank_filters_mean_everything() -> None:
    given = dict.fromkeys(("queue", "actor", "cause", "older_than", "message_id", "exact_cause"), "")
    form = parse(DeadLettersInput, given)
    assert form.selection == ALL
    assert form.given == given


def test_filters_mean_what_meets_them_all() -> None:
    given = {"queue": "check", "actor": "a.b", "cause": "Timeout", "older_than": "2h", "message_id": "7"}
    given["exact_cause"] = "Timeout in a:b"
    form = parse(DeadLettersInput, given)
    assert form.selection == DeadLetterFilter(
        "check", "a.b", "Timeout", timedelta(hours=2), ("7",), "Timeout in a:b"
    )
    assert form.given == given


@pytest.mark.parametrize("given", [{"queue": "nowhere"}, {"older_than": "soon"}, {"colour": "red"}])
def test_what_is_no_filter_is_named(given: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse(DeadLettersInput, given)
    assert set(caught.value.problems) == set(given)
