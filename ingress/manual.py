"""What an endpoint's own rules do not tell of it: its answers, and what else of a request it looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from ingress.bearer import Secrets
from ingress.rules import Schema

JSON, HTML = "application/json", "text/html"


@dataclass(frozen=True, slots=True)
class ResponseDoc:
    """One answer that is no problem; without a `schema` it has no body.

    Shape: `follow` maps an operation that this answer leads to onto the parameter that it takes, and where in
    the body its value is.
    """

    description: str
    schema: Schema | None = None
    media_type: str = JSON
    headers: Mapping[str, Schema] = field(default_factory=dict)
    follow: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndpointDoc:
    """Shape: `headers` describes those that are read; `eases` tells whose token shows more.

    `problems` are those beside the ones that follow from how the endpoint is declared.
    """

    answers: Mapping[HTTPStatus, ResponseDoc]
    headers: Mapping[str, Schema] = field(default_factory=dict)
    eases: Secrets | None = None
    problems: tuple[HTTPStatus, ...] = ()
