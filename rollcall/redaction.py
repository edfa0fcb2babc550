"""Redacts the installation's secrets from text for people: library errors quote their input."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

from domain.text import one_line
from rollcall.settings import Settings

MASK = "***"
_ERROR_LIMIT = 300
_CREDENTIALS = re.compile(r"(://[^/\s:@]*:)[^/\s@]+@")
# Shorter values also occur as ordinary words, mainly in paths: redact them only as whole words.
_UNMISTAKABLE = 12


class Redactor:
    """Redacts every secret of `settings`, and the credentials in any URL."""

    def __init__(self, settings: Settings) -> None:
        found = sorted(_secrets(settings), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_matching, found))) if found else None

    def __call__(self, text: str) -> str:
        """Return `text` as one line without secrets."""
        line = " ".join(text.split())
        if self._pattern is not None:
            line = self._pattern.sub(MASK, line)
        return _CREDENTIALS.sub(rf"\1{MASK}@", line)

    def describe(self, error: BaseException) -> str:
        """Return `error` as one line of at most 300 characters without secrets."""
        return one_line(self(f"{type(error).__name__}: {error}"), _ERROR_LIMIT)


def _matching(secret: str) -> str:
    if len(secret) >= _UNMISTAKABLE:
        return re.escape(secret)
    return rf"(?<![\w/-])(?<!\w\.){re.escape(secret)}(?![\w/-]|\.\w)"


def _secrets(settings: Settings) -> set[str]:
    found: set[str] = set()
    for declared, value in settings.current():
        if isinstance(value, str):
            found |= _in_value(value, is_secret=declared.is_secret)
    return found - {""}


def _in_value(value: str, *, is_secret: bool) -> set[str]:
    """Return the secret parts of a setting's value: its password, or all of a secret setting."""
    parts = urlsplit(value)
    password = parts.password or ""
    found = {password, unquote(password), quote(password)}
    if is_secret:
        found.add(value)
        path = value.partition(parts.netloc)[2] if parts.netloc else ""
        found |= {path} if len(path) >= _UNMISTAKABLE else set()
    return found
