from __future__ import annotations

import pytest

from domain.errors import InvalidInputError
from operations import terms
from tests.operations.journal import do, recorded
from tests.support.catalog import Row
from tests.support.harness import Harness

TERM = {"source": "scraper", "term": "2261"}


def _gone(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row(1)
    rollcall.run()
    del rollcall.catalog.rows[rollcall.key()]
    rollcall.clock.advance(60)
    rollcall.run()


def test_a_term_that_is_gone_is_ended_and_reported(rollcall: Harness) -> None:
    _gone(rollcall)
    ended = do(rollcall, terms.END, "bob", **TERM).value
    rollcall.process_messages()
    assert (ended.watches, ended.people) == (1, 1)
    assert [message.subject for message in rollcall.mailer.sent] == ["Term 2261 has ended"]
    assert recorded(rollcall)[-1] == ("bob", "term.end", "term/scraper/2261", 1)


def test_a_term_that_is_still_listed_is_ended_by_force_alone(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row(1)
    rollcall.run()
    with pytest.raises(InvalidInputError, match="is still listed: 1 of 1 sections"):
        do(rollcall, terms.END, **TERM)
    assert do(rollcall, terms.END, **TERM, force=True).value.watches == 1


def test_a_term_that_no_one_watches_cannot_be_ended(rollcall: Harness) -> None:
    with pytest.raises(InvalidInputError, match="no section of scraper/2261 is watched"):
        do(rollcall, terms.END, **TERM)
    assert recorded(rollcall) == []
