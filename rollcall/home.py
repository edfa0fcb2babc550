"""The home: the state folder of an installation, and the generated secrets in it."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from domain.errors import ConfigurationError
from domain.setting import SECRET
from rollcall.settings import Settings

GENERATED = ("cron_secret", "api_token", "unsubscribe_secret", "job_webhook_secret")


def open_home(settings: Settings) -> Settings:
    """As `prepare_home`, for an existing installation: only `init` and `up` create one.

    Raises: ConfigurationError that names the folder without an installation.
    """
    home = settings.home.absolute()
    if not _is_installation(home):
        hint = "run `rollcall init` to make one there, or set ROLLCALL_HOME to its folder"
        raise ConfigurationError({"ROLLCALL_HOME": f"{home} holds no installation: {hint}"})
    return prepare_home(settings)


def _is_installation(home: Path) -> bool:
    try:
        return (home / "secrets").is_dir() or (home / "rollcall.db").is_file()
    except OSError as error:
        reason = f"the state folder {home} cannot be read ({error.strerror})"
        raise ConfigurationError({"ROLLCALL_HOME": reason}) from error


def prepare_home(settings: Settings) -> Settings:
    """Return the settings with every secret; create the home, and its secrets once with mode 0600.

    Raises: ConfigurationError when the folder cannot be created or written.
    """
    os.umask(0o077)  # the state is private to the operator
    home = settings.home.absolute()
    try:
        (home / "secrets").mkdir(mode=0o700, parents=True, exist_ok=True)  # which marks an installation
        generated: dict[str, Any] = {
            name: _secret_file(home / "secrets" / name.upper())
            for name in GENERATED
            if getattr(settings, name) is None
        }
    except OSError as error:
        reason = f"the state folder {home} cannot be written ({error.strerror})"
        raise ConfigurationError({"ROLLCALL_HOME": reason}) from error
    return replace(settings, home=home, **generated)


def kept_secrets(home: Path) -> dict[str, str]:
    """Return the generated secrets that `home` holds."""
    paths = [home / "secrets" / name.upper() for name in GENERATED]
    return {path.name: _checked(path) for path in paths if path.is_file()}


def store_secret(home: Path, name: str, value: str) -> None:
    """Replace a generated secret by `value`, atomically and with mode 0600. Raises: ConfigurationError."""
    if name.lower() not in GENERATED:
        raise ConfigurationError({name: "is not a secret that Rollcall generates"})
    try:
        SECRET.parse(value)
    except ValueError as error:
        raise ConfigurationError({name: str(error)}) from error
    path = home / "secrets" / name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False) as file:  # mode 0600
        file.write(value)
    Path(file.name).replace(path)


def _secret_file(path: Path) -> str:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _checked(path)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))
    return _checked(path)


def _checked(path: Path) -> str:
    try:
        return SECRET.parse(path.read_text().strip())
    except ValueError as error:
        raise ConfigurationError({path.name: f"{path} {error}; delete it to generate a new one"}) from error
