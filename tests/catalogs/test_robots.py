from __future__ import annotations

import pytest

from catalogs.robots import read_robots

HOST = "https://catalog.example.edu"


def is_allowed(text: str, path: str) -> bool:
    return read_robots(text, "Rollcall/1.0 (+https://x.example)").refusing(HOST + path) is None


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        ("", "/a", True),
        ("Disallow:", "/a", True),
        ("Disallow: /", "", False),
        ("Disallow: /", "/robots.txt", True),
        ("Disallow: /a", "/ab", False),
        ("Disallow: /a/", "/a", True),
        ("Disallow: /A", "/a", True),  # paths are case-sensitive
        ("Disallow: /a # all of it", "/a", False),
        # The longest match counts, whatever the order; of equals, Allow.
        ("Allow: /a\nDisallow: /", "/a", True),
        ("Disallow: /\nAllow: /a", "/a", True),
        ("Disallow: /a/b\nAllow: /a", "/a/b/c", False),
        ("Disallow: /a\nAllow: /a", "/a", True),
        # Wildcards, and the end.
        ("Disallow: /*.php", "/x/y.php?z=1", False),
        ("Disallow: /*.php$", "/x/y.php?z=1", True),
        ("Disallow: /*.php$", "/x/y.php", False),
        ("Disallow: /a*b*c", "/a-c-b", True),
        ("Disallow: /a*b*c", "/a-b-c-d", False),
        ("Disallow: /a*a$", "/a", True),
        ("Disallow: /a$", "/a", False),
        ("Disallow: /a$", "/ab", True),
        ("Disallow: /*?term=", "/search?term=1", False),
        # One spelling of each character.
        ("Disallow: /caf%c3%a9", "/café", False),
        ("Disallow: /café", "/caf%C3%A9", False),
        ("Disallow: /%61", "/a", False),
        ("Disallow: /a%2Fb", "/a/b", True),
    ],
)
def test_the_longest_match_decides(rules: str, path: str, allowed: bool) -> None:
    assert is_allowed(f"User-agent: *\n{rules}", path) is allowed


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("User-agent: *\nDisallow: /\n\nUser-agent: ROLLCALL\nDisallow:", True),
        (
            "User-agent: rollcall\nDisallow: /x\nUser-agent: *\nAllow: /\nUser-agent: rollcall\nDisallow: /a",
            False,
        ),
        ("User-agent: other\nUser-agent: rollcall/2\nSitemap: /s\nDisallow: /a", False),
        ("User-agent: rollcaller\nDisallow: /", True),
        ("User-agent: other\nDisallow: /", True),
        ("Disallow: /\nUser-agent: other\nDisallow: /", True),
        ("\ufeffUser-Agent : *\r\nDISALLOW:/a\r\n", False),
        ("<!DOCTYPE html><p>Sign in: here</p>", True),
    ],
)
def test_the_groups_of_the_product_count_or_else_those_of_all(text: str, allowed: bool) -> None:
    assert is_allowed(text, "/a") is allowed


def test_a_hostile_pattern_is_matched_in_linear_time() -> None:
    assert is_allowed("User-agent: *\nDisallow: /" + "a*" * 5_000 + "b", "/" + "a" * 20_000)
