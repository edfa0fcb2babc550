"""What a first run asks: the few settings that no default can know."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import click

from rollcall.settings import TRANSPORTS, read

ASKED = ("PUBLIC_URL", "SCRAPER_URL", "MAIL_TRANSPORT", "NOTIFICATION_FROM_EMAIL", "OPERATOR_EMAIL")
_KEYS = {"resend": "RESEND_API_KEY", "postmark": "POSTMARK_SERVER_TOKEN", "smtp": "SMTP_URL"}


def ask() -> dict[str, str]:
    """The answers of whoever sits at the terminal; what was left empty keeps its default."""
    click.echo("Return keeps the default of a question.")
    given = {"PUBLIC_URL": _asked("PUBLIC_URL", "Address that students reach, https://…")}
    given["SCRAPER_URL"] = _asked("SCRAPER_URL", "Scraper service; without it, a demo campus")
    given["MAIL_TRANSPORT"] = click.prompt("Mail", type=click.Choice(TRANSPORTS), default="preview", err=True)
    if given["MAIL_TRANSPORT"] != "preview":
        given["NOTIFICATION_FROM_EMAIL"] = _asked("NOTIFICATION_FROM_EMAIL", "Sender of the mails")
    given["OPERATOR_EMAIL"] = _asked("OPERATOR_EMAIL", "Who is told what needs a person")
    return {name: value for name, value in given.items() if value}


def secrets_for(given: Mapping[str, str]) -> dict[str, str]:
    """The secrets without which `given` cannot work, by what they are for."""
    wanted = {"SCRAPER_SECRET_TOKEN": "Its bearer token"} if given.get("SCRAPER_URL") else {}
    key = _KEYS.get(given.get("MAIL_TRANSPORT", ""))
    return wanted | ({key: "Key or address of the mail provider"} if key else {})


def ask_secret(name: str, question: str) -> str:
    """One secret, which the terminal does not show."""
    return str(click.prompt(f"{question} ({name})", hide_input=True, value_proc=_valid(name), err=True))


def _asked(name: str, question: str) -> str:
    text = f"{question} ({name})"
    return str(click.prompt(text, default="", show_default=False, value_proc=_valid(name), err=True))


def _valid(name: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        problem = read({name: text})[1].get(name)
        if problem is not None:
            raise click.BadParameter(f"{name} {problem}")
        return text.strip()

    return check
