"""`/uploads`: files for jobs that import them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.responses import Response

from ingress.auth import api_token
from ingress.endpoint import Answer, Routes, json_response
from ingress.problems import ProblemError, problem
from ingress.request import Body, RequestContext
from ingress.schemas import Count
from operations.context import BY_API, Surface
from operations.inputs import Text
from operations.uploads import MEBIBYTE, UnreadableFileError, store_upload
from providers.clamd import InfectedError, ScanLimitError
from store.uploads import Scan

routes = Routes()


class UploadQuery(Struct, frozen=True):
    """The first upload of an idempotency key is the only one."""

    idempotency_key: Text | None = None


class Upload(Struct, kw_only=True):
    """An uploaded file. It is deleted after 24 hours unless a job uses it."""

    upload_id: str
    bytes: Count
    sha256: Annotated[str, Meta(description="The digest in hexadecimal.", pattern="^[0-9a-f]{64}$")]
    media_type: Annotated[str, Meta(description="Detected from the content.", examples=["text/csv"])]
    scan: Annotated[Scan, Meta(description="`not_scanned` if no virus scanner answered.")]


@routes.post(
    "/uploads",
    {
        HTTPStatus.CREATED: Answer("The new upload.", Upload),
        HTTPStatus.OK: Answer("The first upload of this key.", Upload),
    },
    secrets=api_token,
    accepts=Body(50 * MEBIBYTE, model=Any),
    is_upload=True,
    problems=(HTTPStatus.UNSUPPORTED_MEDIA_TYPE,),
)
def add_upload(request: RequestContext, query: UploadQuery) -> Response:
    """Upload a file of transactions: CSV, TSV, XLSX, OFX, QFX, QIF or camt.053."""
    if request.file is None:
        raise TypeError("the endpoint is not declared as an upload")
    admin, ports = request.admin(Surface.API), request.context.uploads
    try:
        found, is_new = store_upload(admin, ports, request.file, BY_API, query.idempotency_key)
    except UnreadableFileError as error:
        detail = "; ".join(f"The file {each}" for each in error.problems.values())
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"{detail}.") from error
    except InfectedError as error:
        detail = f"The file is infected ({error.signature})."
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, signature=error.signature)
    except ScanLimitError as error:
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"{error}.") from error
    shown = Upload(
        upload_id=found.id,
        bytes=found.bytes,
        sha256=found.sha256,
        media_type=found.media_type,
        scan=found.scan,
    )
    return json_response(shown, HTTPStatus.CREATED if is_new else HTTPStatus.OK)
