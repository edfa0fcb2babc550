"""Where settings come from: the environment, systemd's credentials and `.env`; and names that are none.

A typo in `.env` whose likely setting is not set stops start-up, as an invalid value would: otherwise mail
would go to the preview, or the demo campus would be checked. Everything else is a warning, because a file or
an environment may be shared, and a removed setting must not block a new release.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from domain.errors import ConfigurationError
from rollcall.settings import DECLARED, Settings, read

SETTINGS = tuple(DECLARED)
_OPTIONS = ("WORKER_QUEUES", "WORKER_PROCESSES", "WORKER_THREADS", "JOB_QUEUES")  # of roles
_DEPLOYMENT = ("ROLLCALL_DOMAIN", "ROLLCALL_UPSTREAM")  # Caddy's and the installer's
KNOWN = frozenset((*SETTINGS, *_OPTIONS, *_DEPLOYMENT))
_PREFIXES = (
    *("ROLLCALL_", "SCRAPER_", "RESEND_", "POSTMARK_", "SMTP_", "BREAKER_", "DOCRAPTOR_", "GEMINI_"),
    *("OPERATOR_", "RENOTIFY_", "UNSUBSCRIBE_"),
)
_OURS_ELSEWHERE = ("ROLLCALL_TEST_", "_ROLLCALL_")  # the tests', and the shells' completion
_LEAST_LENGTH = 8  # shorter names resemble too many others
_LONG_LENGTH = 12


def load(overrides: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this process; `overrides` (from the command line) take precedence.

    Raises: ConfigurationError that names each bad setting.
    """
    given = values(overrides)
    settings, problems = read(given)
    problems = problems | typos_in_file(given)
    if problems:
        raise ConfigurationError(problems)
    return settings


def typos_in_file(given: Collection[str]) -> dict[str, str]:
    """Describe each name in `.env` that resembles a setting that is not `given`."""
    return typos(_dotenv(), given)


def ignored() -> list[str]:
    """Return a line for each name that is set, resembles a setting, and is none."""
    found = unknown(_dotenv(), os.environ)
    return [_sentence(name, meant) for name, meant in sorted(found.items())]


def values(overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the raw values; `overrides` take precedence.

    Raises: ConfigurationError when a settings file cannot be read.
    """
    try:
        return {**_dotenv(), **_credentials(), **os.environ, **(overrides or {})}
    except UnicodeDecodeError as error:
        raise ConfigurationError({".env": "or a credential must be UTF-8"}) from error
    except OSError as error:
        raise ConfigurationError({str(error.filename): f"cannot be read ({error.strerror})"}) from error


def _dotenv() -> dict[str, str]:
    path = Path(".env")
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 - needed only where the file exists

    return {
        name: value for name, value in dotenv_values(path, interpolate=False).items() if value is not None
    }


def _credentials() -> dict[str, str]:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder is None:
        return {}
    # LoadCredential=rollcall:FOLDER names each file of the folder rollcall_NAME.
    found = [(name, Path(folder) / f"{prefix}{name}") for prefix in ("rollcall_", "") for name in DECLARED]
    return {name: path.read_text().strip() for name, path in found if path.is_file()}


_PLAIN = re.compile(r"[\w@%+=:,./*?-]+", re.ASCII)


def write(path: Path, values: Mapping[str, str]) -> None:
    """Write `values` to the new file `path`, mode 0600. Raises: FileExistsError, other OSErrors."""
    lines = [f"{name}={_quoted(value)}\n" for name, value in values.items()]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(lines)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def unknown(dotenv: Iterable[str], environment: Iterable[str]) -> dict[str, str | None]:
    """Return names that are set and are not settings, each with the likely setting.

    Shape: of `dotenv` every unknown name; of the shared `environment`, only names with our prefixes or close
    to one of ours.
    """
    found = {name: likely(name) for name in dotenv if name not in KNOWN}
    for name in environment:
        if name not in KNOWN and not name.startswith(_OURS_ELSEWHERE):
            meant = likely(name)
            if meant is not None or name.startswith(_PREFIXES):
                found[name] = meant
    return found


def typos(dotenv: Collection[str], given: Collection[str]) -> dict[str, str]:
    """Describe each name of `dotenv` that resembles a setting that is not `given`."""
    meant = {name: likely(name) for name in dotenv if name not in KNOWN}
    return {
        name: f"in .env is no setting: {setting} is"
        for name, setting in meant.items()
        if setting is not None and setting not in given
    }


def _sentence(name: str, meant: str | None) -> str:
    """Return one line that names the setting, and the likely one."""
    return f"{name} is no setting and is ignored" + (f"; did you mean {meant}?" if meant else "")


def likely(name: str) -> str | None:
    """Return the setting whose name is close to `name`, or None."""
    bare = name.upper().replace("_", "")
    near: Mapping[str, int] = {
        setting: _distance(bare, setting.replace("_", ""))
        for setting in SETTINGS
        if len(setting) >= _LEAST_LENGTH and abs(len(setting) - len(name)) <= 2  # noqa: PLR2004 - see _most
    }
    close = [(distance, setting) for setting, distance in near.items() if distance <= _most(setting)]
    return min(close)[1] if close else None


def _most(setting: str) -> int:
    return 2 if len(setting) >= _LONG_LENGTH else 1


def _distance(one: str, other: str) -> int:
    """Return the optimal string alignment distance: insertions, deletions, replacements, adjacent swaps."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, character in enumerate(one, 1):
        row = [i]
        for j, other_character in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (character != other_character))
            if i > 1 and j > 1 and character == other[j - 2] and one[i - 2] == other_character:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
