from __future__ import annotations

from collections.abc import Iterator

import pytest

from domain.errors import MalformedResponseError, RateLimitedError, RejectedError, UpstreamError
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


def test_a_refusal_for_too_many_documents_at_once_is_a_rate_limit(
    docraptor: DocRaptorStandIn, printer: DocRaptor
) -> None:
    docraptor.answers.append(errors(403, "You have reached your limit of simultaneous requests"))
    with pytest.raises(RateLimitedError):
        printer("<p>Seats</p>")


def test_an_answer_that_is_not_a_pdf_is_malformed(docraptor: DocRaptorStandIn, printer: DocRaptor) -> None:
    docraptor.answers.append(Answer(200, b"<html>One moment</html>", "text/html"))
    with pytest.raises(MalformedResponseError):
        printer("<p>Seats</p>")


def test_an_error_quotes_the_message_of_the_answer(docraptor: DocRaptorStandIn, printer: DocRaptor) -> None:
    docraptor.answers += [errors(422, "Name is too long"), Answer(500, b'{"error": "down for repairs"}')]
    with pytest.raises(RejectedError, match=r"^DocRaptor: 422 Name is too long$"):
        printer("<p>Seats</p>")
    with pytest.raises(UpstreamError, match=r"^DocRaptor: 500 down for repairs$"):
        printer("<p>Seats</p>")


@pytest.mark.parametrize(
    "body", [b"<" * 15_000_000, b"<a" * 7_000_000, b"[" * 15_000_000, b"\xff<" * 7_000_000]
)
def test_an_error_of_any_shape_is_parsed_in_linear_time(
    docraptor: DocRaptorStandIn, printer: DocRaptor, body: bytes
) -> None:
    docraptor.answers.append(Answer(422, body))
    with pytest.raises(RejectedError) as refused:
        printer("<p>Seats</p>")
    assert len(str(refused.value)) < 300
