from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.console.session import seal, unseal

SECRET = "a secret of the tests"


@given(st.text())
def test_what_was_sealed_comes_back(text: str) -> None:
    encodable = text.encode("utf-8", "ignore").decode()
    assert unseal(SECRET, "session", seal(SECRET, "session", encodable)) == encodable


def test_another_secret_or_purpose_opens_nothing() -> None:
    sealed = seal(SECRET, "session", "ada")
    assert unseal("another secret", "session", sealed) is None
    assert unseal(SECRET, "flash", sealed) is None


@pytest.mark.parametrize("sealed", ["", ".", "YWRh", "YWRh.", ".YWRh", "YWRh.YWRh", "ä.ö", "YWRh.ü", "a b.c"])
def test_what_nobody_sealed_is_nothing(sealed: str) -> None:
    assert unseal(SECRET, "session", sealed) is None


@given(st.data())
def test_one_changed_character_is_noticed(data: st.DataObject) -> None:
    sealed = seal(SECRET, "session", "ada 1795000000")
    at = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != sealed[at]))
    changed = sealed[:at] + other + sealed[at + 1 :]
    assert unseal(SECRET, "session", changed) in (None, "ada 1795000000")
    assert unseal(SECRET, "session", changed + "A") is None
