from __future__ import annotations

from store.upstreams import Upstreams
from tests.store.desk import Desk
from tests.store.rivals import together


def test_settings_replace_others_once_and_the_first_ones_none(desk: Desk) -> None:
    upstreams = Upstreams(desk.database)
    assert not upstreams.adopt("scraper", "one")
    assert not upstreams.adopt("scraper", "one")
    assert upstreams.adopt("scraper", "two")
    assert not upstreams.adopt("scraper", "two")
    assert not upstreams.adopt("mail", "two")


def test_of_processes_that_start_together_one_hears_of_new_settings(desk: Desk) -> None:
    upstreams = Upstreams(desk.database)
    upstreams.adopt("scraper", "one")
    assert sorted(together(*[lambda: upstreams.adopt("scraper", "two")] * 4)) == [False] * 3 + [True]
