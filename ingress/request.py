"""A request as handlers get it, and the strict reading of its body and its query string."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, BinaryIO, NoReturn, Self
from urllib.parse import parse_qsl

from anyio.to_thread import run_sync
from starlette.datastructures import URL, Headers
from starlette.requests import ClientDisconnect, Request

from actors.services import Services
from domain.errors import InvalidInputError, StorageFullError
from ingress.context import WebContext
from ingress.problems import ProblemError
from operations.context import AdminContext, Surface
from operations.inputs import INT64_MAX

KIBIBYTE = 1024
_MAX_PARAMETERS = 50


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request, complete and immutable.

    Shape: `client` is the caller's address, empty if unknown; `file` is the body of an upload.
    """

    context: WebContext
    url: URL
    headers: Headers
    body: bytes = b""
    client: str = ""
    file: BinaryIO | None = None

    @property
    def services(self) -> Services:
        """Return the services that the request may use."""
        return self.context.services

    def admin(self, surface: Surface) -> AdminContext:
        """Return the context of an operator who acts on `surface`."""
        return self.context.admin.on(surface)


@dataclass(frozen=True, slots=True)
class Body:
    """An accepted kind of body. Without `media_type` any is accepted; with a limit of 0 it is not read.

    Shape: `model` is the type that describes the content, None if undocumented; `charsets` are accepted.
    """

    limit_bytes: int
    media_type: str | None = None
    model: Any = None
    charsets: tuple[str, ...] = ("utf-8", "utf8")

    def of(self, model: Any) -> Self:
        """Return the same kind of body with its content described by `model`."""
        return replace(self, model=model)

    async def read(self, request: Request) -> bytes:
        """Return the whole body. Raises: ProblemError, 415 for another type, 413 for an oversized one."""
        if self.media_type is not None:
            _require_type(request.headers, self.media_type, self.charsets)
        if not self.limit_bytes:
            return b""
        content = bytearray()
        async for chunk in self._chunks(request):
            content += chunk
        return bytes(content)

    async def spool(self, request: Request, file: BinaryIO) -> None:
        """Write the body to `file`, and rewind it. Raises: ProblemError as `read`, TransientError (disk)."""
        _require_identity(request.headers)
        try:
            async for chunk in self._chunks(request):
                await run_sync(file.write, chunk)
            await run_sync(file.seek, 0)
        except ClientDisconnect:  # an OSError in some releases
            raise
        except OSError as error:
            raise StorageFullError(f"the upload cannot be written ({error.strerror})") from error

    async def _chunks(self, request: Request) -> AsyncIterator[bytes]:
        if _declared_bytes(request.headers) > self.limit_bytes:
            raise self._too_large()
        received_bytes = 0
        async for chunk in request.stream():
            received_bytes += len(chunk)
            if received_bytes > self.limit_bytes:
                raise self._too_large()
            yield chunk

    def _too_large(self) -> ProblemError:
        return ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The body must not exceed {self.limit_bytes // KIBIBYTE} KiB.",
        )


NO_BODY = Body(0)
ANY_BODY = Body(64 * KIBIBYTE)
JSON_BODY = Body(64 * KIBIBYTE, "application/json")
FORM_BODY = Body(64 * KIBIBYTE, "application/x-www-form-urlencoded")
# The content determines the encoding (`CsvReader`): few clients know that of a spreadsheet's file.
_SPREADSHEET_CHARSETS = (
    *("utf-8", "utf8", "us-ascii", "utf-16", "utf-16le", "utf-16be"),
    *("iso-8859-1", "latin1", "windows-1252", "cp1252"),
)
CSV_BODY = Body(5 * KIBIBYTE * KIBIBYTE, "text/csv", charsets=_SPREADSHEET_CHARSETS)
CSV_FORM_BODY = replace(FORM_BODY, limit_bytes=CSV_BODY.limit_bytes)


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


def _require_identity(headers: Headers) -> None:
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body must not be compressed.",
            headers={"Accept-Encoding": "identity"},
        )


def _declared_bytes(headers: Headers) -> int:
    declared = headers.get("content-length", "")
    return int(declared) if declared.isascii() and declared.isdecimal() else 0


def json_object(body: bytes) -> dict[str, object]:
    """Return the JSON object in `body`.

    msgspec would keep the last of repeated keys, and reject lone surrogates without naming their field.
    Raises: InvalidInputError when it is not UTF-8, not JSON (NaN is not), not an object, or repeats a key.
    """
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_object, parse_constant=_reject, parse_int=_integer
        )
    except (ValueError, RecursionError) as error:
        raise InvalidInputError({"body": "must be a JSON object in UTF-8"}) from error
    if not isinstance(value, dict):
        raise InvalidInputError({"body": "must be a JSON object"})
    return value


def parameters(query: bytes) -> dict[str, object]:
    """Return the parameters of a query string, or the fields of a form.

    Raises: InvalidInputError when they are not percent-encoded UTF-8, or repeat a name.
    """
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError as error:
        problem = f"must be percent-encoded UTF-8 with at most {_MAX_PARAMETERS} parameters"
        raise InvalidInputError({"query": problem}) from error
    return _object(pairs)


def _object(pairs: Iterable[tuple[str, object]]) -> dict[str, object]:
    pairs = list(pairs)
    members = dict(pairs)
    if len(members) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        raise InvalidInputError({name: "is given more than once" for name, n in counts.items() if n > 1})
    return members


def _integer(digits: str) -> int:
    # Longer ones are slow to parse and out of every range: one out-of-range number stands for them.
    number = int(digits) if len(digits.lstrip("-")) <= len(str(INT64_MAX)) else INT64_MAX + 1
    return number if abs(number) <= INT64_MAX else INT64_MAX + 1


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
