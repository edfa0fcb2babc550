"""Classifies the responses of a catalog that no family can use: refusals, sign-in and maintenance pages."""

from __future__ import annotations

import re
from datetime import datetime
from http import HTTPStatus

from domain.catalog import (
    BlockedError,
    MaintenanceError,
    RouteGoneError,
    SchemaError,
    SignInRequiredError,
)
from domain.errors import MalformedResponseError, RateLimitedError, RollcallError
from providers.http import HttpResponse

_CHALLENGE_PAGE_BYTES = 32_768
"""Challenge pages are small; an ordinary page may load a captcha for one of its forms."""
_CHALLENGE = re.compile(
    rb"g-recaptcha|h-captcha|cf-turnstile|px-captcha|captcha-delivery\.com|Incapsula incident ID"
    rb"|The requested URL was rejected\. Please consult with your administrator",
    re.IGNORECASE,
)
_PASSWORD_FIELD = re.compile(rb"<input\b[^>]*\btype\s*=\s*[\"']?password\b", re.IGNORECASE)
_MAINTENANCE = re.compile(
    rb"(scheduled|system|planned|under|undergoing|for|routine)\s+maintenance|maintenance\s+(window|mode|page)"
    rb"|temporarily\s+(unavailable|offline|down)",
    re.IGNORECASE,
)
_SIGN_IN_ADDRESS = re.compile(
    r"/(cas|saml2?|sso|adfs|oauth2?|idp|shibboleth)\b|log-?in|sign-?in", re.IGNORECASE
)
_MAINTENANCE_ADDRESS = re.compile(r"maintenance|outage|unavailable", re.IGNORECASE)


def is_html(response: HttpResponse) -> bool:
    """Whether the body is an HTML page, whatever its media type says."""
    start = response.body[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html"))


def shows_sign_in(response: HttpResponse) -> bool:
    """Whether the body has a field for a password."""
    return _PASSWORD_FIELD.search(response.body) is not None


def refusal(response: HttpResponse, what: str, now: datetime | None = None) -> RollcallError | None:
    """The error if the catalog refuses this client or its rate, in any family; None otherwise.

    Shape: `what` names the request in the message. 401, 403 and challenge pages are BlockedError; 429, and
    503 with Retry-After, are RateLimitedError.
    """
    if _is_challenge(response):
        return BlockedError(f"{what}: the catalog asks for a captcha ({response.status})")
    wait = response.retry_after_seconds(now)
    match response.status:
        case 401 | 403:
            return BlockedError(f"{what}: the catalog refuses access ({response.status})")
        case 429:
            return RateLimitedError(f"{what}: too many requests (429)", retry_after_seconds=wait)
        case 503 if wait is not None and not _is_maintenance(response):
            return RateLimitedError(f"{what}: the catalog asks to wait (503)", retry_after_seconds=wait)
        case _:
            return None


def refuse(response: HttpResponse, what: str) -> RollcallError:
    """The error that a response means which is not the expected answer, for families to raise.

    Shape: `what` names the answer that was expected, such as "the list of terms".
    """
    return refusal(response, what) or _by_status(response, what)


def explain(error: MalformedResponseError, response: HttpResponse, what: str) -> RollcallError:
    """Why a page cannot be read: what it shows instead, such as maintenance; else `error`."""
    shown = refuse(response, what)
    return error if isinstance(shown, SchemaError) else shown


def _by_status(response: HttpResponse, what: str) -> RollcallError:
    if response.status in range(300, 400):
        return _redirect(response.header("location") or "", what)
    if _is_maintenance(response):
        return MaintenanceError(f"{what}: the catalog shows a maintenance page ({response.status})")
    if response.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE}:
        return RouteGoneError(f"{what}: the catalog has no such route ({response.status})")
    if response.status not in range(200, 300):
        return response.error(f"{what}: the catalog responded with {response.status}")
    if shows_sign_in(response):
        return SignInRequiredError(f"{what}: the catalog shows a sign-in page")
    page = "an HTML page" if is_html(response) else "something else"
    return SchemaError(f"{what}: the catalog responded with {page}")


def _redirect(location: str, what: str) -> RollcallError:
    # The query may hold a ticket or the address to return to.
    target = re.split(r"[?#;]", location)[0]
    if _MAINTENANCE_ADDRESS.search(target):
        return MaintenanceError(f"{what}: redirected to the maintenance page {target}")
    if _SIGN_IN_ADDRESS.search(target):
        return SignInRequiredError(f"{what}: redirected to the sign-in page {target}")
    return RouteGoneError(f"{what}: redirected to {target or 'nowhere'}")


def _is_challenge(response: HttpResponse) -> bool:
    if response.header("cf-mitigated") == "challenge" or response.header("x-amzn-waf-action") is not None:
        return True
    is_small = len(response.body) <= _CHALLENGE_PAGE_BYTES
    return is_small and is_html(response) and _CHALLENGE.search(response.body) is not None


def _is_maintenance(response: HttpResponse) -> bool:
    # A large page is the application itself, which may announce maintenance in a banner.
    is_small = len(response.body) <= _CHALLENGE_PAGE_BYTES
    return is_small and is_html(response) and _MAINTENANCE.search(response.body) is not None
