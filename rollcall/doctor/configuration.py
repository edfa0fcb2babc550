"""Checks of the settings and the file that may hold them; they need no server."""

from __future__ import annotations

import stat
from pathlib import Path

from notifications.operator_mail import OperatorMailSettings
from notifications.operator_webhook import DeadMansSwitchSettings, OperatorWebhookSettings
from providers.stripe import StripeSettings
from rollcall import environment
from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.examination import Check
from rollcall.doctor.finding import Finding, Status, Verdict, ok, warning

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def findings(case: InspectedSettings) -> list[Finding]:
    """Return one finding for all settings when they are valid, else one per invalid setting."""
    if not case.problems:
        return [Finding("settings", Status.OK, "every setting is valid", "")]
    return [
        Finding(f"settings.{name}", Status.FAILURE, f"{name} {problem}", f"correct {name}")
        for name, problem in case.problems.items()
    ]


def _dotenv(_case: InspectedSettings) -> Verdict:
    path = Path(".env").absolute()
    if not path.exists():
        return ok("there is none: settings come from the environment alone")
    if path.stat().st_mode & _OTHERS:
        return warning(f"{path} can be read by others, and may hold secrets", f"chmod 600 {path}")
    return ok(f"{path} is its owner's alone")


def _unknown(_case: InspectedSettings) -> Verdict:
    found = environment.ignored()
    if not found:
        return ok("everything that is set is a setting")
    return warning("; ".join(found), "correct the name, or take it out")


def _public_url(case: InspectedSettings) -> Verdict:
    settings = case.settings
    if settings.transport == "preview":
        return ok(f"links in mails start with {settings.base_url}, and no mail leaves")
    if settings.public_url is None:
        return warning(
            f"links in mails start with {settings.base_url}, which nobody else can open",
            "set PUBLIC_URL to the https:// address that students can reach",
        )
    if not settings.public_url.startswith("https://"):
        return warning(
            f"{settings.public_url} is not https, and one-click unsubscription needs it (RFC 8058)",
            "serve HTTPS (deploy/Caddyfile), and set PUBLIC_URL to the https:// address",
        )
    return ok(settings.public_url)


def _report_prices(case: InspectedSettings) -> Verdict:
    settings = case.settings
    if settings.of(StripeSettings).webhook_secret is None:
        return ok("no reports are sold")
    if settings.of(StripeSettings).prices is None:
        return warning(
            "what customers pay for a report is not checked",
            "set REPORT_PRICES, such as REPORT_PRICES=usd:900,eur:850",
        )
    return ok("what customers pay for a report is checked")


def _proxy(case: InspectedSettings) -> Verdict:
    settings = case.settings
    if settings.proxy_secret is not None:
        return ok("the reverse proxy is known by PROXY_SECRET")
    if settings.public_url is None:
        return ok("there is none")
    return warning(
        "who calls is unknown behind the reverse proxy: all share one limit for sign-ins",
        "set PROXY_SECRET, and have the proxy send it as X-Rollcall-Proxy (deploy/Caddyfile)",
    )


def _operator(case: InspectedSettings) -> Verdict:
    settings = case.settings
    ways = {
        "OPERATOR_EMAIL": settings.of(OperatorMailSettings).email,
        "OPERATOR_WEBHOOK_URL": settings.of(OperatorWebhookSettings).url,
    }
    given = [name for name, value in ways.items() if value is not None]
    if given:
        return ok(f"alerts go to {' and '.join(given)}")
    seen = "OPERATOR_EMAIL and OPERATOR_WEBHOOK_URL are not set: alerts are in the log and the console alone"
    if settings.transport == "preview":
        return ok(seen)
    return warning(seen, "set OPERATOR_EMAIL or OPERATOR_WEBHOOK_URL")


def _heartbeat(case: InspectedSettings) -> Verdict:
    if case.settings.of(DeadMansSwitchSettings).url is not None:
        return ok("HEARTBEAT_URL is pinged after each run that succeeded")
    seen = "HEARTBEAT_URL is not set: a dead machine alerts nobody"
    if case.settings.transport == "preview":
        return ok(seen)
    return warning(seen, "set HEARTBEAT_URL to a dead man's switch, such as one of healthchecks.io")


CHECKS = (
    Check("dotenv", _dotenv, "make .env readable for the user that runs Rollcall"),
    Check("public-url", _public_url, "correct PUBLIC_URL", needs=("settings.PUBLIC_URL",)),
    Check("proxy", _proxy, "correct PROXY_SECRET", needs=("settings.PROXY_SECRET", "settings.PUBLIC_URL")),
    Check("report-prices", _report_prices, "correct REPORT_PRICES", needs=("settings.REPORT_PRICES",)),
    Check(
        "operator",
        _operator,
        "correct OPERATOR_EMAIL",
        ("settings.OPERATOR_EMAIL", "settings.OPERATOR_WEBHOOK_URL"),
    ),
    Check("heartbeat", _heartbeat, "correct HEARTBEAT_URL", ("settings.HEARTBEAT_URL",)),
    Check("settings.unknown", _unknown, "make .env readable for the user that runs Rollcall"),
)
