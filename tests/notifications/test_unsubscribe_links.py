from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInputError, RejectedError
from notifications.unsubscribe_links import (
    AllowEverything,
    AllowWatch,
    StopEverything,
    StopWatch,
    UnsubscribeLinks,
)

LINKS = UnsubscribeLinks("https://rollcall.example.edu/", "a secret of the test")
ADDRESSES = st.from_regex(r"[a-z0-9.:+-]{1,20}@[a-z]{1,10}\.edu", fullmatch=True)


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]


@given(st.integers(min_value=0, max_value=2**63), ADDRESSES)
def test_a_link_identifies_the_watch_to_stop(watch_id: int, email: str) -> None:
    assert LINKS.read(token_of(LINKS.stop_watch(watch_id, email))) == StopWatch(watch_id, email)


@given(ADDRESSES)
def test_a_link_identifies_the_address_to_stop(email: str) -> None:
    assert LINKS.read(token_of(LINKS.stop_everything(email))) == StopEverything(email)


@given(st.integers(min_value=0, max_value=2**63), ADDRESSES)
def test_a_link_identifies_what_to_allow_again(watch_id: int, email: str) -> None:
    assert LINKS.read(token_of(LINKS.allow_watch(watch_id, email))) == AllowWatch(watch_id, email)
    assert LINKS.read(token_of(LINKS.allow_everything(email))) == AllowEverything(email)


def test_a_link_is_a_plain_url_under_the_public_url() -> None:
    url = LINKS.stop_watch(7, "ada@example.edu")
    assert url.startswith("https://rollcall.example.edu/unsubscribe?token=")
    assert token_of(url).replace("-", "").replace("_", "").isalnum()


def test_the_same_claim_always_has_the_same_link() -> None:
    assert LINKS.stop_watch(7, "ada@example.edu") == LINKS.stop_watch(7, "ada@example.edu")


@given(st.text(max_size=120))
def test_any_other_text_is_refused(token: str) -> None:
    with pytest.raises(RejectedError):
        LINKS.read(token)


@given(st.data())
def test_a_token_with_one_character_changed_is_refused(data: st.DataObject) -> None:
    token = token_of(LINKS.stop_watch(7, "ada@example.edu"))
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda char: char != token[place]))
    with pytest.raises(RejectedError):
        LINKS.read(token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize(
    "change", [str.swapcase, lambda token: token + "=", lambda token: token + "A", str.lower]
)
def test_a_token_that_only_decodes_to_the_same_is_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(RejectedError):
        LINKS.read(change(token_of(LINKS.stop_everything("ada@example.edu"))))


def test_a_token_of_another_secret_is_refused() -> None:
    foreign = UnsubscribeLinks("https://rollcall.example.edu", "another secret")
    with pytest.raises(RejectedError):
        LINKS.read(token_of(foreign.stop_watch(7, "ada@example.edu")))


def test_links_of_older_mails_work_after_the_secret_has_changed() -> None:
    before = UnsubscribeLinks("https://rollcall.example.edu", "the secret before")
    after = UnsubscribeLinks(
        "https://rollcall.example.edu", "the secret of today", previous_secret="the secret before"
    )
    token = token_of(before.stop_everything("ada@example.edu"))
    assert after.read(token) == StopEverything("ada@example.edu")
    assert after.stop_everything("ada@example.edu") != before.stop_everything("ada@example.edu")
    with pytest.raises(RejectedError):
        before.read(token_of(after.stop_everything("ada@example.edu")))


def test_links_that_earlier_releases_mailed_still_work() -> None:
    stop = "MXc3OmFkYUBleGFtcGxlLmVkddbh4bmdj63_ADCRoPCdp06slzGTv8zymIzOWUxvfyoA"
    allow = "MWE6YWRhQGV4YW1wbGUuZWR1vlFvX0LaDF7iDzBd5IqCrmOj-PzgluMK1A8A6eGpk6c"

    assert LINKS.read(stop) == StopWatch(7, "ada@example.edu")
    assert LINKS.read(allow) == AllowEverything("ada@example.edu")
    assert token_of(LINKS.stop_watch(7, "ada@example.edu")) == stop


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="secret"):
        UnsubscribeLinks("https://rollcall.example.edu", "")


@pytest.mark.parametrize("url", ["", "rollcall.example.edu", "javascript:alert(1)", "https://"])
def test_an_invalid_public_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="public_url"):
        UnsubscribeLinks(url, "secret")


def test_the_secret_is_not_in_the_repr() -> None:
    assert "a secret" not in repr(LINKS)
