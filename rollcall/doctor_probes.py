"""Probes of the settings, and of the home that holds the state and the secrets."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

from domain.check import Result, degraded, healthy, unhealthy
from domain.setting import SECRET
from notifications.operator_mail import OperatorMailSettings
from notifications.operator_webhook import DeadMansSwitchSettings, OperatorWebhookSettings
from providers.stripe import StripeSettings
from rollcall import environment
from rollcall.home import GENERATED
from rollcall.settings import Settings

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def probe_dotenv() -> Result:
    """Return whether only its owner can read `.env`."""
    path = Path(".env").absolute()
    if not path.exists():
        return healthy("there is none: settings come from the environment alone")
    if path.stat().st_mode & _OTHERS:
        return degraded(f"{path} can be read by others, and may hold secrets", f"chmod 600 {path}")
    return healthy(f"only its owner can read {path}")


def probe_unknown() -> Result:
    """Return whether everything that is set and resembles a setting is one."""
    found = environment.ignored()
    return (
        degraded("; ".join(found), "correct or remove the name")
        if found
        else healthy("every name is a setting")
    )


def probe_public_url(settings: Settings) -> Result:
    """Return whether recipients can open the links in mails."""
    url, links = settings.public_url, f"links in mails start with {settings.base_url}"
    if settings.transport == "preview":
        return healthy(f"{links}, and no mail is sent")
    if url is None:
        hint = "set PUBLIC_URL to the https:// address that students can reach"
        return degraded(f"{links}, which works on this machine only", hint)
    if not url.startswith("https://"):
        hint = "serve HTTPS (deploy/Caddyfile), and set PUBLIC_URL to the https:// address"
        return degraded(f"{url} is not https, and one-click unsubscription needs it (RFC 8058)", hint)
    return healthy(url)


def probe_report_prices(settings: Settings) -> Result:
    """Return whether the amount that a customer pays for a report is checked."""
    if settings.of(StripeSettings).webhook_secret is None:
        return healthy("no reports are sold")
    if settings.of(StripeSettings).prices is None:
        hint = "set REPORT_PRICES, such as REPORT_PRICES=usd:900,eur:850"
        return degraded("the amount that customers pay for a report is not checked", hint)
    return healthy("the amount that customers pay for a report is checked")


def probe_proxy(settings: Settings) -> Result:
    """Return whether the web role knows its callers behind a reverse proxy."""
    if settings.proxy_secret is not None:
        return healthy("PROXY_SECRET authenticates the reverse proxy")
    if settings.public_url is None:
        return healthy("there is none")
    hint = "set PROXY_SECRET, and have the proxy send it as X-Rollcall-Proxy (deploy/Caddyfile)"
    return degraded("callers behind the reverse proxy are unknown: all share one limit for sign-ins", hint)


def probe_operator(settings: Settings) -> Result:
    """Return whether alerts reach a person."""
    addresses = {
        "OPERATOR_EMAIL": settings.of(OperatorMailSettings).email,
        "OPERATOR_WEBHOOK_URL": settings.of(OperatorWebhookSettings).url,
    }
    configured = [name for name, value in addresses.items() if value is not None]
    if configured:
        return healthy(f"alerts go to {' and '.join(configured)}")
    missing = (
        "OPERATOR_EMAIL and OPERATOR_WEBHOOK_URL are not set: alerts are in the log and the console only"
    )
    return _unless_preview(settings, missing, "set OPERATOR_EMAIL or OPERATOR_WEBHOOK_URL")


def probe_heartbeat(settings: Settings) -> Result:
    """Return whether another service notices that this machine is dead."""
    if settings.of(DeadMansSwitchSettings).url is not None:
        return healthy("HEARTBEAT_URL is pinged after each successful run")
    missing = "HEARTBEAT_URL is not set: a dead machine causes no alert"
    return _unless_preview(
        settings, missing, "set HEARTBEAT_URL to a dead man's switch, such as healthchecks.io"
    )


def _unless_preview(settings: Settings, seen: str, hint: str) -> Result:
    return healthy(seen) if settings.transport == "preview" else degraded(seen, hint)


def probe_home(home: Path) -> Result:
    """Return whether this user, and no other, can write the state folder."""
    if not home.is_dir():
        return unhealthy(f"{home} does not exist", "rollcall init")
    try:
        with tempfile.TemporaryFile(dir=home) as file:  # the file has no name, so it is never visible
            file.write(b"rollcall")
    except OSError as error:
        return unhealthy(f"{home} cannot be written ({error.strerror})", remedy(home, error))
    if home.stat().st_mode & _OTHERS:
        return degraded(f"others can open {home}", f"chmod 700 {home}")
    return healthy(f"{home} can be written")


def remedy(home: Path, error: OSError, user_id: int | None = None) -> str:
    """Return how the user (default: this process' own) gets write access to `home` after `error`."""
    user_id = os.geteuid() if user_id is None else user_id
    if error.errno == errno.EROFS:
        mount = next(path for path in (home, *home.parents) if path.is_mount())
        return f"mount -o remount,rw {mount}"
    if error.errno == errno.ENOSPC:
        return f"free space on the disk of {home}"
    if home.stat().st_uid == user_id:
        return f"chmod u+w {home}"
    return f"chown -R {_name(user_id)} {home}"


def _name(user_id: int) -> str:
    import pwd  # noqa: PLC0415 - one hint needs it

    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def probe_secrets(settings: Settings) -> Result:
    """Return whether each generated secret exists, is private and is long enough."""
    folder = settings.home / "secrets"
    names = [name.upper() for name in GENERATED if getattr(settings, name) is None]
    paths = [folder / name for name in names]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        return unhealthy(f"{', '.join(missing)} missing", "rollcall init")
    readable = [path for path in paths if path.stat().st_mode & _OTHERS]
    if readable:
        return unhealthy(f"{readable[0]} can be read by others", f"chmod 600 {folder}/*")
    short = [path for path in paths if not _is_secret(path)]
    if short:
        return unhealthy(f"{short[0]} is too short", f"rm {short[0]} && rollcall init")
    return healthy(f"{folder}: {len(paths)} files, private to their owner" if paths else "all are set")


def _is_secret(path: Path) -> bool:
    try:
        SECRET.parse(path.read_text().strip())
    except ValueError:
        return False
    return True
