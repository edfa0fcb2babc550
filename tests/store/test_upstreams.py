from __future__ import annotations

from store.upstreams import Upstreams
from tests.store.harness import StoreHarness
from tests.store.rivals import together


def test_settings_replace_others_once_and_the_first_ones_none(store: StoreHarness) -> None:
    upstreams = Upstreams(store.database)
    assert not upstreams.adopt("scraper", "one")
    assert not upstreams.adopt("scraper", "one")
    assert upstreams.adopt("scraper", "two")
    assert not upstreams.adopt("scraper", "two")
    assert not upstreams.adopt("mail", "two")


def test_of_processes_that_start_together_one_hears_of_new_settings(store: StoreHarness) -> None:
    upstreams = Upstreams(store.database)
    upstreams.adopt("scraper", "one")
    assert sorted(together(*[lambda: upstreams.adopt("scraper", "two")] * 4)) == [False] * 3 + [True]
