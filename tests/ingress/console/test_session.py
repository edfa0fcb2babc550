from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.console.session import sign, verify

SECRET = "a secret of the tests"


@given(st.text())
def test_a_signed_value_comes_back(text: str) -> None:
    encodable = text.encode("utf-8", "ignore").decode()
    assert verify(SECRET, "session", sign(SECRET, "session", encodable)) == encodable


def test_another_secret_or_purpose_is_rejected() -> None:
    signed = sign(SECRET, "session", "ada")
    assert verify("another secret", "session", signed) is None
    assert verify(SECRET, "flash", signed) is None


@pytest.mark.parametrize("signed", ["", ".", "YWRh", "YWRh.", ".YWRh", "YWRh.YWRh", "ä.ö", "YWRh.ü", "a b.c"])
def test_an_unsigned_text_is_rejected(signed: str) -> None:
    assert verify(SECRET, "session", signed) is None


@given(st.data())
def test_one_changed_character_is_noticed(data: st.DataObject) -> None:
    signed = sign(SECRET, "session", "ada 1795000000")
    at = data.draw(st.integers(0, len(signed) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != signed[at]))
    changed = signed[:at] + other + signed[at + 1 :]
    assert verify(SECRET, "session", changed) in (None, "ada 1795000000")
    assert verify(SECRET, "session", changed + "A") is None
