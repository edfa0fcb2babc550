"""Classifies SMTP refusals: the recipient or message, the account or sender, or the server.

Source: RFC 5321 (reply codes), RFC 3463 and the IANA registry of enhanced status codes; Gmail (5.4.5),
Exchange Online (5.1.90, 5.7.60, 5.7.705) and Amazon SES (454, 554) for account refusals.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from domain.errors import (
    AccountRefusedError,
    RateLimitedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
)
from domain.notification import Deferred, Rejected

_PERMANENT = 500
_SHUTTING_DOWN = 421
_TOO_LARGE = 552
_LOGIN_CODES = frozenset({530, 534, 535, 538})
_ENHANCED = re.compile(r"^[245]\.(\d{1,3})\.(\d{1,3})\b")
# Registered subjects and details, without the class digit: "1.7" stands for 4.1.7 and 5.1.7.
_SENDER_CODES = frozenset(
    {"1.7", "1.8", "1.90", "4.5", "7.3", "7.8", "7.9", "7.11", "7.14", "7.20", "7.21", "7.22", "7.23"}
    | {"7.24", "7.25", "7.26", "7.27", "7.60", "7.64", "7.705", "7.708", "7.750"}
)
_RECIPIENT = frozenset({"1", "2"})  # addressing and mailbox status
_MESSAGE_CODES = frozenset({"3.4"})
_MESSAGE = frozenset({"6"})  # content or media
_SYSTEM = frozenset({"3", "4"})  # mail system, network and routing
_RATE = re.compile(
    r"throttl|sending rate|rate (?:limit )?exceeded|too many (?:connections|messages)", re.IGNORECASE
)
_SENDER = re.compile(
    r"sender|mail from|\bfrom address|relay|client host|not (?:been )?verified|unverified|"
    r"authentication required|not (?:authori[sz]ed|allowed|permitted) to send",
    re.IGNORECASE,
)
_ACCOUNT = re.compile(
    r"quota|(?<!size )limit|suspended|your account|account (?:is )?(?:disabled|locked|blocked)", re.IGNORECASE
)
_MAILBOX = re.compile(r"mailbox|recipient|user unknown|no such user|unknown user", re.IGNORECASE)
_DAILY = re.compile(r"daily|quota", re.IGNORECASE)
_ADDRESS = re.compile(r"<[^>]*>|[^\s<>]+@[^\s<>]+")


class Stage(Enum):
    """The command that was refused."""

    GREETING = auto()
    LOGIN = auto()
    SENDER = auto()
    RECIPIENT = auto()
    CONTENT = auto()


def refusal(stage: Stage, code: int, text: str) -> Rejected | Deferred | RollcallError:
    """The meaning of the reply `code` `text` at `stage`: a result for this message, or an error for all.

    An ambiguous reply defers the message: it neither fails it at once nor stops the others.
    """
    reply, reason = f"{code} {text}", f"the mail server replied {code} {text}"
    if code == _SHUTTING_DOWN:
        return UpstreamError(reason)
    if stage is Stage.LOGIN or code in _LOGIN_CODES:
        return UnauthorisedError(reason) if code >= _PERMANENT else UpstreamError(reason)
    subject, detail = _enhanced(text)
    words = _ADDRESS.sub("", text)
    if _is_about_message(stage, code, detail, words):
        return Rejected(reply) if code >= _PERMANENT else Deferred(reply)
    if _is_about_rate(stage, code, words):
        return AccountRefusedError(reason) if _DAILY.search(words) else RateLimitedError(reason)
    if _is_about_account(stage, code, detail, words):
        return AccountRefusedError(reason)
    return _message_or_transport(stage, code, subject, reply)


def _enhanced(text: str) -> tuple[str, str]:
    """Subject ("1" to "7") and detail ("1.1") of an enhanced status code; empty if there is none."""
    found = _ENHANCED.match(text)
    return (found[1], f"{found[1]}.{found[2]}") if found else ("", "")


def _is_about_message(stage: Stage, code: int, enhanced: str, words: str) -> bool:
    if stage is Stage.GREETING or enhanced in _SENDER_CODES:
        return False
    subject = enhanced.partition(".")[0]
    if enhanced in _MESSAGE_CODES or subject in _MESSAGE or (not enhanced and code == _TOO_LARGE):
        return True
    is_unnamed_mailbox = not enhanced and _MAILBOX.search(words) and not _SENDER.search(words)
    return stage is not Stage.SENDER and (subject in _RECIPIENT or bool(is_unnamed_mailbox))


def _is_about_rate(stage: Stage, code: int, words: str) -> bool:
    is_limit_of_recipient = stage is Stage.RECIPIENT and code >= _PERMANENT
    return bool(_RATE.search(words)) and not is_limit_of_recipient


def _is_about_account(stage: Stage, code: int, enhanced: str, words: str) -> bool:
    if code >= _PERMANENT and stage in {Stage.GREETING, Stage.SENDER}:
        return True
    names_account = _SENDER.search(words) or (stage is not Stage.RECIPIENT and _ACCOUNT.search(words))
    return enhanced in _SENDER_CODES or bool(names_account)


def _message_or_transport(
    stage: Stage, code: int, subject: str, reply: str
) -> Rejected | Deferred | RollcallError:
    is_permanent = code >= _PERMANENT
    if stage is Stage.RECIPIENT and subject != "3":
        return Rejected(reply) if is_permanent and subject != "7" else Deferred(reply)
    if is_permanent or (stage is Stage.CONTENT and subject and subject not in _SYSTEM):
        return Deferred(reply)
    return UpstreamError(f"the mail server deferred the message: {reply}")
