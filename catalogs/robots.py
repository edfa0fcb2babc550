"""Reads robots.txt. Source: RFC 9309. `urllib.robotparser` has neither wildcards nor the longest match."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

_ANY = "*"
_TOKEN = re.compile(r"[A-Za-z_-]+|\*")
_UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: the `pattern` of a path, in which `*` is any text and a final `$` the end."""

    pattern: str
    allows: bool

    def matches(self, path: str) -> bool:
        """Whether the rule is about `path`. In linear time: the pattern is another party's."""
        is_anchored = self.pattern.endswith("$")
        first, *rest = self.pattern.removesuffix("$").split("*")
        if not path.startswith(first):
            return False
        if not rest:
            return not is_anchored or path == first
        at = len(first)
        for piece in rest[:-1]:
            found = path.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        if is_anchored:
            return len(path) - len(rest[-1]) >= at and path.endswith(rest[-1])
        return path.find(rest[-1], at) >= 0


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules of a host for one product; without rules everything is allowed."""

    rules: tuple[Rule, ...] = ()

    def refusing(self, url: str) -> Rule | None:
        """The rule that forbids `url`, None if it is allowed: the longest match, and of equals `Allow`."""
        parts = urlsplit(url)
        path = _normalised((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        if path == "/robots.txt":
            return None
        matching = (rule for rule in self.rules if rule.matches(path))
        best = max(matching, key=lambda rule: (len(rule.pattern), rule.allows), default=None)
        return None if best is None or best.allows else best


def read_robots(text: str, product: str) -> Robots:
    """The rules in `text` for `product`: those of all its groups, else those of `*`."""
    groups: dict[str, list[Rule]] = {}
    agents: list[str] = []
    is_in_rules = False
    for line in text.removeprefix("\ufeff").splitlines():
        key, _, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        match key.lower():
            case "user-agent":
                agents = [*([] if is_in_rules else agents), _product(value)]
                groups.setdefault(agents[-1], [])
                is_in_rules = False
            case "allow" | "disallow":
                is_in_rules = True
                for agent in agents if value else ():
                    groups[agent].append(Rule(_normalised(value), key.lower() == "allow"))
            case _:
                continue  # other records, such as a sitemap, end no group
    return Robots(tuple(groups.get(_product(product), groups.get(_ANY, []))))


def _product(text: str) -> str:
    found = _TOKEN.match(text)
    return found[0].lower() if found else ""


def _normalised(path: str) -> str:
    """`path` with one spelling of each character. Source: RFC 9309, 2.2.2."""

    def spelled(escape: re.Match[str]) -> str:
        character = chr(int(escape[1], 16))
        return character if character in _UNRESERVED else escape[0].upper()

    return _ESCAPE.sub(spelled, quote(path, safe="%" + string.punctuation))
