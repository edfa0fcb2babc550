"""Checks that Resend accepts the API key, without sending mail."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from domain.errors import MalformedResponseError, UnauthorisedError, UpstreamError
from notifications.resend_http import ResendHttpClient

API_URL = "https://api.resend.com"
_MAY_ONLY_SEND = "restricted_api_key"
_LOGIN_REFUSALS = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


def sending_domains(api_key: str, api_url: str | None, timeout_seconds: float) -> dict[str, str] | None:
    """The state, such as `verified`, of each domain of the account; None if the key may only send.

    Raises: UnauthorisedError if the key is refused, TransientError if that is unknown.

    Source: https://resend.com/docs/api-reference/domains/list-domains
    """
    headers = {"Authorization": f"Bearer {api_key}", "User-Agent": "rollcall"}
    url = f"{(api_url or API_URL).rstrip('/')}/domains"
    body, status, _ = ResendHttpClient(timeout_seconds).request("GET", url, headers)
    answer = _document(body)
    if answer.get("name") == _MAY_ONLY_SEND:
        return None
    if status in _LOGIN_REFUSALS:
        raise UnauthorisedError(f"Resend: {status} {answer.get('message')}")
    if status != HTTPStatus.OK:
        raise UpstreamError(f"Resend: {status} {answer.get('message')}")
    try:
        return {str(each["name"]): str(each["status"]) for each in answer["data"]}
    except (KeyError, TypeError) as error:
        raise MalformedResponseError("Resend's answer is not of the agreed shape") from error


def _document(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
