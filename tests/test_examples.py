"""The examples of the documents work with the demo campus."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from catalogs.demo_campus import DemoCampus
from domain.section import SectionKey
from operations.inputs import decode
from operations.new_watches import NewWatch
from workflows.report import workflow

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
CAMPUS = set(DemoCampus.sections())
_BODY = re.compile(r"-d '(\{.*\})'")
_ADD = re.compile(r"rollcall watch add \S+ (\w+) (\w+)\b(?! --source)")


def _texts() -> list[tuple[str, str]]:
    return [(document.name, document.read_text()) for document in DOCUMENTS]


def test_every_watched_section_of_an_example_is_in_the_demo_campus() -> None:
    found = [(name, *each) for name, text in _texts() for each in _ADD.findall(text)]
    assert found
    for name, term, number in found:
        assert SectionKey(DemoCampus.name, term, number) in CAMPUS, name


def _place(watch: NewWatch) -> tuple[str, str]:
    return watch.term, watch.section


@pytest.mark.parametrize("name", ["run.md", "reports.md"])
def test_every_request_body_of_an_example_is_valid_for_the_demo_campus(name: str) -> None:
    bodies = [json.loads(body) for each, text in _texts() if each == name for body in _BODY.findall(text)]
    assert bodies
    for body in bodies:
        if "kind" in body:
            assert set(workflow.read(body["input"]).keys()) <= CAMPUS
        else:
            assert SectionKey(DemoCampus.name, *_place(decode(NewWatch, body))) in CAMPUS
