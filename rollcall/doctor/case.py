"""The settings under inspection, valid or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from domain.errors import InvalidInputError
from rollcall import environment
from rollcall.doctor.starting import is_managed
from rollcall.redaction import Redactor
from rollcall.settings import Settings, read


@dataclass(frozen=True, slots=True)
class InspectedSettings:
    """Settings, invalid ones at their defaults; `problems` has the error of each of these.

    `is_managed` is whether systemd starts the roles here.
    """

    settings: Settings
    problems: Mapping[str, str] = field(default_factory=dict)
    is_managed: bool = False

    def redact(self, text: str) -> str:
        """Return one line of `text` without our secrets."""
        return Redactor(self.settings)(text)


def load() -> InspectedSettings:
    """Load the settings of this process' environment, without side effects."""
    try:
        given = environment.values()
        settings, problems = read(given)
        problems = problems | environment.typos_in_file(given)
    except InvalidInputError as error:
        settings, problems = read({})[0], error.problems
    return InspectedSettings(replace(settings, home=settings.home.absolute()), problems, is_managed())
