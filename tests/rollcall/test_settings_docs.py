from __future__ import annotations

import pytest

from rollcall import settings_docs
from rollcall.settings import DECLARED


@pytest.mark.parametrize(
    ("path", "text"),
    [(".env.example", settings_docs.example()), ("docs/settings.md", settings_docs.page())],
)
def test_the_committed_text_is_what_make_docs_writes(path: str, text: str) -> None:
    assert (settings_docs.ROOT / path).read_text() == text


def test_the_example_has_every_setting_once() -> None:
    named = [line[2:].partition("=")[0] for line in settings_docs.example().splitlines() if "=" in line]
    assert named == list(DECLARED)
