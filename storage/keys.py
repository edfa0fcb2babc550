"""Keys: paths of plain names, which mean the same to a folder and to a bucket."""

from __future__ import annotations

import re

from domain.errors import PermanentError

_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}"
_KEY = re.compile(rf"{_NAME}(/{_NAME}){{0,7}}")


def is_key(key: str) -> bool:
    """Whether `key` is a path of one to eight plain names."""
    return _KEY.fullmatch(key) is not None


def validate_key(key: str) -> str:
    """`key`, when it is one. Raises: PermanentError."""
    if not is_key(key):
        raise PermanentError(
            f"{key[:100]!r} is no key: names of letters, digits, '.', '_' and '-', parted by '/'"
        )
    return key


def checked_prefix(prefix: str) -> str:
    """`prefix`, when it is a key and a slash. Raises: PermanentError."""
    if not prefix.endswith("/"):
        raise PermanentError(f"{prefix[:100]!r} does not end with '/'")
    return f"{validate_key(prefix[:-1])}/"
