from __future__ import annotations

from collections.abc import Iterator

import pytest

from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
)
from providers.docraptor import DocRaptor
from tests.standins.docraptor import PDF, DocRaptorStandIn, errors
from tests.standins.server import Answer


@pytest.fixture
def docraptor() -> Iterator[DocRaptorStandIn]:
    with DocRaptorStandIn() as running:
        yield running


@pytest.fixture
def printer(docraptor: DocRaptorStandIn) -> DocRaptor:
    return DocRaptor(docraptor.api_key, docraptor.url)


def test_a_document_comes_back_as_a_pdf(docraptor: DocRaptorStandIn, printer: DocRaptor) -> None:
    assert printer("<p>Seats</p>") == PDF
    (document,) = docraptor.documents
    assert (document["type"], document["document_content"]) == ("pdf", "<p>Seats</p>")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (errors(400, "Bad Request"), RejectedError),
        (errors(403, "You have reached your limit of simultaneous requests"), RateLimitedError),
        (errors(403, "Your account is suspended"), UnauthorisedError),
        (errors(422, "Name can't be blank"), RejectedError),
        (errors(500, "Something went wrong"), UpstreamError),
        (Answer(503, b'{"error": "Service Unavailable"}'), UpstreamError),
        (Answer(200, b"<html>One moment</html>", "text/html"), MalformedResponseError),
        (None, UnreachableError),
    ],
)
def test_a_failure_says_whether_to_try_again(
    docraptor: DocRaptorStandIn, printer: DocRaptor, answer: Answer | None, kind: type[RollcallError]
) -> None:
    docraptor.answers.append(answer)
    with pytest.raises(kind):
        printer("<p>Seats</p>")


def test_an_error_is_told_in_its_own_words(docraptor: DocRaptorStandIn, printer: DocRaptor) -> None:
    docraptor.answers += [errors(422, "Name is too long"), Answer(500, b'{"error": "down for repairs"}')]
    with pytest.raises(RejectedError, match=r"^DocRaptor: 422 Name is too long$"):
        printer("<p>Seats</p>")
    with pytest.raises(UpstreamError, match=r"^DocRaptor: 500 down for repairs$"):
        printer("<p>Seats</p>")


def test_a_wrong_key_is_refused_and_never_told(docraptor: DocRaptorStandIn) -> None:
    printer = DocRaptor("dr_wrong_key", docraptor.url)
    with pytest.raises(UnauthorisedError) as refused:
        printer("<p>Seats</p>")
    assert "dr_wrong_key" not in f"{refused.value} {printer!r}"


@pytest.mark.parametrize(
    "body", [b"<" * 15_000_000, b"<a" * 7_000_000, b"[" * 15_000_000, b"\xff<" * 7_000_000]
)
def test_an_error_of_any_shape_is_read_in_one_pass(
    docraptor: DocRaptorStandIn, printer: DocRaptor, body: bytes
) -> None:
    docraptor.answers.append(Answer(422, body))
    with pytest.raises(RejectedError) as refused:
        printer("<p>Seats</p>")
    assert len(str(refused.value)) < 300
