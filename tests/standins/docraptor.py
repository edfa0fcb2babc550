"""A stand-in for DocRaptor: `POST /docs`, which answers with a PDF, or with errors in XML.

Wire format: https://docraptor.com/documentation/api.
"""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from tests.standins.server import Answer, StandIn

PDF = b"%PDF-1.4 as DocRaptor would print it"


class DocRaptorStandIn(StandIn):
    """`documents` holds what was printed; `answers` are given in turn instead of a PDF, None hangs up."""

    def __init__(self, api_key: str = "dr_test") -> None:
        super().__init__()
        self.api_key = api_key
        self.documents: list[dict[str, Any]] = []
        self.answers: deque[Answer | None] = deque()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        expected = base64.b64encode(f"{self.api_key}:".encode()).decode()
        if headers.get("authorization") != f"Basic {expected}":
            return errors(401, "Invalid API key")
        if self.answers:
            return self.answers.popleft()
        document = json.loads(body)
        if path != "/docs" or document.get("type") != "pdf" or not document.get("document_content"):
            return errors(422, "Document content can't be blank")
        self.documents.append(document)
        return Answer(200, PDF, "application/pdf")


def errors(status: int, message: str) -> Answer:
    """An error as DocRaptor words it."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<errors>\n  <error>{message}</error>\n</errors>\n'
    return Answer(status, body.encode(), "application/xml")
