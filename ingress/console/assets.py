"""The console's own style sheet, script and mark, each under an address that names its content."""

from __future__ import annotations

import functools
from hashlib import sha256
from pathlib import Path

from starlette.responses import Response

from ingress.endpoint import RequestContext, endpoint, readable
from ingress.fields import text
from ingress.forms import Nothing, no_query
from ingress.manual import EndpointDoc
from ingress.problems import not_found

_FOLDER = Path(__file__).parent / "static"
_DIGEST_LENGTH = 12
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}


@endpoint(no_query, EndpointDoc({}), path={"name": text})
def show(call: RequestContext[Nothing]) -> Response:
    """One asset; an address of other content is no address."""
    path = _by_address().get(call.path["name"])
    if path is None:
        raise not_found("file")
    return Response(path.read_bytes(), headers=_FOR_EVER, media_type=_TYPES[path.suffix])


def address(name: str) -> str:
    """Where the asset `name` of this version is."""
    return f"/console/static/{_addressed(_FOLDER / name)}"


@functools.cache
def _by_address() -> dict[str, Path]:
    return {_addressed(path): path for path in _FOLDER.iterdir() if path.suffix in _TYPES}


@functools.cache
def _addressed(path: Path) -> str:
    digest = sha256(path.read_bytes()).hexdigest()[:_DIGEST_LENGTH]
    return f"{path.stem}-{digest}{path.suffix}"


ROUTES = (readable("/static/{name}", show),)
