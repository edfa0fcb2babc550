"""Strict parsing of bytes into named values: JSON objects and query strings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import NoReturn
from urllib.parse import parse_qsl

from domain.errors import InvalidInputError

INT64_MAX = 2**63 - 1
_INT64_DIGITS = 19
_MAX_PARAMETERS = 50
_TWICE = "is given more than once"


def json_object(body: bytes) -> dict[str, object]:
    """Return the JSON object in `body`.

    Raises: InvalidInputError when it is not UTF-8, not JSON (NaN is not), not an object, or repeats a key.
    """
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_object, parse_constant=_refuse, parse_int=_integer
        )
    except (ValueError, RecursionError) as error:
        raise InvalidInputError({"body": "must be a JSON object in UTF-8"}) from error
    if not isinstance(value, dict):
        raise InvalidInputError({"body": "must be a JSON object"})
    return value


def parameters(query: bytes) -> dict[str, object]:
    """Return the parameters of a query string, or the fields of a form.

    Raises: InvalidInputError when they are not percent-encoded UTF-8, or repeat a name.
    """
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError as error:
        raise InvalidInputError({"query": "must be percent-encoded UTF-8, and short"}) from error
    return _object(pairs)


def _object(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    pairs = list(pairs)
    counts = Counter(name for name, _ in pairs)
    repeated = {name: _TWICE for name, count in counts.items() if count > 1}
    if repeated:
        raise InvalidInputError(repeated)
    return dict(pairs)


def _integer(digits: str) -> int:
    # Longer ones are slow to parse and out of every range: one out-of-range number stands for them.
    return int(digits) if len(digits.lstrip("-")) <= _INT64_DIGITS else INT64_MAX + 1


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
