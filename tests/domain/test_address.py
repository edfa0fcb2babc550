from __future__ import annotations

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.address import NO_ADDRESS, checked_address, normal_address, read_address
from domain.errors import InvalidInputError


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("ada@example.edu", "ada@example.edu"),
        ("  Ada@Example.EDU \n", "ada@example.edu"),
        ("ada.lovelace+cse100@mail.example.edu", "ada.lovelace+cse100@mail.example.edu"),
        ("o'neill_2@x-y.example.org", "o'neill_2@x-y.example.org"),
        ("a@b.co", "a@b.co"),
        (f"{'a' * 64}@example.edu", f"{'a' * 64}@example.edu"),
        (f"ada@{'d' * 63}.edu", f"ada@{'d' * 63}.edu"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("Ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.de", "ada@xn--strae-oqa.de"),  # IDNA 2008, not 2003
        ("ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah"),
        ("ada@ex\u0430mple.edu", "ada@xn--exmple-4nf.edu"),  # a Cyrillic letter: seen to be another domain
        ("ada@example\u3002edu", "ada@example.edu"),  # an ideographic full stop
    ],
)
def test_a_good_address_has_one_spelling(address: str, normal: str) -> None:
    assert normal_address(address) == normal
    assert normal_address(normal) == normal


@pytest.mark.parametrize(
    "address",
    [
        *("", " ", "ada", "@", "ada@", "@example.edu", "ada@example", "ada@localhost", "ada@127.0.0.1"),
        *(
            "ada@@example.edu",
            "ada@b@example.edu",
            ".ada@example.edu",
            "ada.@example.edu",
            "a..b@example.edu",
        ),
        *("ada@-example.edu", "ada@example-.edu", "ada@.edu", "ada@example..edu", "ada@example.edu."),
        *("ada@example.e", "ada@example.1du", "ada lovelace@example.edu", "ada@exam ple.edu"),
        *("Ada <ada@example.edu>", '"ada"@example.edu', "ada@[127.0.0.1]", "ada(x)@example.edu"),
        *(
            "ada,grace@example.edu",
            "ada@example.edu,grace@example.edu",
            "ada@example.edu;x",
            "a:b@example.edu",
        ),
        *(f"{'a' * 65}@example.edu", f"ada@{'d' * 64}.edu", f"ada@{'d.' * 126}edu"),
        f"{'a' * 64}@{'d' * 63}.{'d' * 63}.{'d' * 60}.edu",
    ],
)
def test_what_is_not_an_address_is_refused(address: str) -> None:
    assert normal_address(address) is None


@pytest.mark.parametrize(
    "injected", ["\r\nBcc: all@example.edu", "\nX: y", "\r", "\x00", "\t", "\x0b", "\x85"]
)
def test_nothing_can_be_smuggled_into_a_header(injected: str) -> None:
    assert normal_address(f"ada{injected}@example.edu") is None
    assert normal_address(f"ada@example{injected}.edu") is None
    trailing = normal_address(f"ada@example.edu{injected}")
    assert trailing in {None, "ada@example.edu"}


@pytest.mark.parametrize(
    "address",
    [
        "\u0430da@example.edu",  # a Cyrillic letter that looks like "a"
        "ada\uff20example.edu",  # a full-width @
        "ada\u200b@example.edu",
        "ada@example.edu\u202e",
        "\u212aay@example.edu",  # the Kelvin sign, whose lower case is "k"
        "ad\u0131@example.edu",
        "ad\u0661@example.edu",
    ],
)
def test_messages_that_only_look_like_others_are_refused(address: str) -> None:
    assert normal_address(address) is None


@pytest.mark.parametrize(
    "address", ["=cmd|'/ccalc'!a0+@b.co", "=1+1@b.co", "+ada@example.edu", "-ada@example.edu", " =a@b.co"]
)
def test_what_a_spreadsheet_takes_for_a_formula_is_refused(address: str) -> None:
    assert normal_address(address) is None


_PLAIN = st.text(
    string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=20
).filter(lambda local: local[0] not in "=+-")


@given(_PLAIN, st.from_regex(r"[A-Za-z0-9]{1,20}\.[A-Za-z]{2,10}", fullmatch=True))
def test_case_and_space_around_an_address_make_no_second_person(local: str, domain: str) -> None:
    address = f"{local}@{domain}"
    spellings = {normal_address(spelling) for spelling in (address, address.upper(), f"\t{address} ")}
    assert spellings == {address.lower()}


@given(st.text(max_size=40) | st.text(st.sampled_from('aA@.-+ \n\r\x00,;<>"é'), max_size=12))
def test_whatever_is_accepted_is_plain_text_without_space_or_separator(text: str) -> None:
    normal = normal_address(text)
    if normal is not None:
        assert normal.isascii()
        assert normal.isprintable()
        assert normal == normal.lower()
        assert normal.count("@") == 1
        assert normal[0] not in "=+-@"
        assert not set(normal) & set(' ",;:<>()[]\\')


@pytest.mark.parametrize(
    ("address", "wrong"),
    [
        ("ada\u200b@example.edu", "contains an invisible character (U+200B)"),
        ("ada@exam\u00adple.edu", "contains an invisible character (U+00AD)"),
        ("\ufeffada@example.edu", "contains an invisible character (U+FEFF)"),
        ("ada@example.edu\u202e", "contains an invisible character (U+202E)"),
        ("ada\u00a0lovelace@example.edu", "contains an invisible character (U+00A0)"),
        ("\u0430da@example.edu", f"{NO_ADDRESS}, with ASCII letters before its @ (not \u0430, U+0430)"),
        ("ada@a\u2603b.example", "has a domain that IDNA does not allow"),
    ],
)
def test_what_cannot_be_seen_is_named(address: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=re.escape(wrong)):
        read_address(address)


def test_what_is_no_address_is_refused_by_the_name_of_its_field() -> None:
    assert checked_address("to", " Ada@Example.edu ") == "ada@example.edu"
    for wrong in ("", "nobody", "=cmd@example.edu", "ada@localhost"):
        with pytest.raises(InvalidInputError) as caught:
            checked_address("to", wrong)
        assert caught.value.problems == {"to": NO_ADDRESS}
