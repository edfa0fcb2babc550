"""How long, as people write it: a whole number and its unit."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=366)


def duration(text: str) -> timedelta:
    """The time that `text` writes: 90s, 15m, 2h or 3d.

    Raises: ValueError when it is none, not longer than nothing, or longer than a year.
    """
    matched = re.fullmatch(r"([0-9]{1,8})([smhd])", text.strip())
    length = timedelta(**{_UNITS[matched[2]]: int(matched[1])}) if matched else timedelta(0)
    if not timedelta(0) < length <= LONGEST:
        raise ValueError("must be a time such as 90s, 15m, 2h or 3d, a year at most")
    return length
