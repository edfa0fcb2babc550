"""What is examined: the settings as they stand, whether they are valid or not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from urllib.parse import unquote, urlsplit

from domain.errors import InvalidInputError
from rollcall import environment
from rollcall.doctor.starting import is_managed
from rollcall.settings import Settings, read

_SECRET = re.compile(
    r"secret|token|key|operator_webhook_url|heartbeat_url"
)  # who knows these URLs may use them


@dataclass(frozen=True, slots=True)
class Case:
    """Settings, the bad ones at their defaults; `problems` says what is wrong with each of these.

    `is_managed` tells whether systemd starts the roles here.
    """

    settings: Settings
    problems: Mapping[str, str] = field(default_factory=dict)
    is_managed: bool = False

    def redact(self, text: str) -> str:
        """One line of `text` without any secret of ours: errors of libraries quote what they were given."""
        line = " ".join(text.split())
        for hidden in sorted(self._secrets(), key=len, reverse=True):
            line = line.replace(hidden, "***")
        return line

    def _secrets(self) -> set[str]:
        found: set[str] = set()
        for each in fields(self.settings):
            value = getattr(self.settings, each.name)
            if isinstance(value, str):
                password = urlsplit(value).password or ""
                found |= {password, unquote(password), value if _SECRET.search(each.name) else ""}
        return found - {""}


def load() -> Case:
    """The case of this process's environment; reading it changes nothing."""
    try:
        settings, problems = read(environment.values())
    except InvalidInputError as error:
        settings, problems = read({})[0], error.problems
    return Case(replace(settings, home=settings.home.absolute()), problems, is_managed())
