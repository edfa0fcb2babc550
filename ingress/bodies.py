"""Request bodies: the media type and the size that an endpoint accepts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Self

from starlette.datastructures import Headers
from starlette.requests import Request

from ingress.problems import ProblemError
from ingress.rules import Schema

KIBIBYTE = 1024


@dataclass(frozen=True, slots=True)
class Body:
    """A kind of body. Without `media_type` any type is accepted; with a limit of 0 the body is not read.

    Shape: `schema` describes the content; `charsets` are the accepted ones.
    """

    limit_bytes: int
    media_type: str | None = None
    schema: Schema | None = None
    charsets: tuple[str, ...] = ("utf-8", "utf8")

    def of(self, schema: Schema) -> Self:
        """Return the same kind of body with the schema `schema`."""
        return replace(self, schema=schema)

    async def read(self, request: Request) -> bytes:
        """Return the whole body. Raises: ProblemError, 415 for another type, 413 for an oversized one."""
        if self.media_type is not None:
            _require_type(request.headers, self.media_type, self.charsets)
        if not self.limit_bytes:
            return b""
        if _declared_bytes(request.headers) > self.limit_bytes:
            raise self._too_large()
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > self.limit_bytes:
                raise self._too_large()
        return bytes(content)

    def _too_large(self) -> ProblemError:
        return ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The body must have no more than {self.limit_bytes // KIBIBYTE} KiB.",
        )


NOTHING = Body(0)
ANYTHING = Body(64 * KIBIBYTE)
JSON = Body(64 * KIBIBYTE, "application/json")
FORM = Body(64 * KIBIBYTE, "application/x-www-form-urlencoded")
# The content determines the encoding (`ingress.csv_reader`): few clients know that of a spreadsheet's file.
_SPREADSHEET_CHARSETS = (
    *("utf-8", "utf8", "us-ascii", "utf-16", "utf-16le", "utf-16be"),
    *("iso-8859-1", "latin1", "windows-1252", "cp1252"),
)
CSV = Body(5 * KIBIBYTE * KIBIBYTE, "text/csv", charsets=_SPREADSHEET_CHARSETS)
SHEET_FORM = replace(FORM, limit_bytes=CSV.limit_bytes)


def _require_type(headers: Headers, media_type: str, charsets: Sequence[str]) -> None:
    given, *options = (part.strip().lower() for part in headers.get("content-type", "").split(";"))
    charset = dict(option.partition("=")[::2] for option in options).get("charset", "utf-8")
    coding = headers.get("content-encoding", "identity").strip().lower()
    if given != media_type or charset.strip('"') not in charsets or coding != "identity":
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"The body must be {media_type} in {charsets[0].upper()}, not compressed.",
            headers={"Accept": media_type, "Accept-Encoding": "identity"},
        )


def _declared_bytes(headers: Headers) -> int:
    declared = headers.get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdecimal() else 0
