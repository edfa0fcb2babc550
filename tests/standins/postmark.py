"""A stand-in for Postmark: `POST /email`.

Wire format: https://postmarkapp.com/developer/api/email-api, https://postmarkapp.com/developer/api/overview.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from tests.standins.server import Answer, StandIn


class PostmarkStandIn(StandIn):
    """`mails` holds each that was taken; `answers` are given in turn instead, None hangs up."""

    def __init__(self) -> None:
        super().__init__()
        self.server_token = "pm_test"
        self.mails: list[dict[str, Any]] = []
        self.answers: deque[Answer | None] = deque()
        self.inactive: set[str] = set()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        if headers.get("x-postmark-server-token") != self.server_token:
            return error(401, 10, "No Account or Server API tokens were supplied in the HTTP headers.")
        if (method, path) == ("GET", "/server"):
            return Answer(200, json.dumps({"ID": 1, "Name": "Rollcall"}).encode())
        if self.answers:
            return self.answers.popleft()
        mail = json.loads(body)
        if not mail.get("From") or "@" not in mail.get("To", ""):
            return error(422, 300, "Error parsing 'To': Illegal email address.")
        if mail["To"] in self.inactive:
            return error(422, 406, "You tried to send to recipient(s) that have been marked as inactive.")
        self.mails.append(mail)
        taken = {"To": mail["To"], "MessageID": str(uuid4()), "ErrorCode": 0, "Message": "OK"}
        return Answer(200, json.dumps(taken).encode())


def error(status: int, code: int, message: str) -> Answer:
    """An error as Postmark words it."""
    return Answer(status, json.dumps({"ErrorCode": code, "Message": message}).encode())
