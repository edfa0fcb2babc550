from __future__ import annotations

import re

import pytest

from ingress.pages.runbook import render_markdown, sections
from tests.ingress.site import Site


def test_what_to_do_is_read_without_signing_in(site: Site) -> None:
    answer = site.client.get("/runbook/no-worker")
    assert answer.status_code == 200
    assert "<strong>Symptom:</strong>" in answer.text
    assert "<code>systemctl status &#x27;rollcall-worker@*&#x27; rollcall-jobs</code>" in answer.text


def test_a_section_that_is_none_is_not_found(site: Site) -> None:
    assert site.client.get("/runbook/nothing").status_code == 404


def test_every_link_within_leads_to_a_section() -> None:
    for title, section in sections().items():
        linked = set(re.findall(r'<a href="([^"]+)"', section.body))
        assert linked <= set(sections()), title


def test_the_guide_is_shown_without_its_marks() -> None:
    for section in sections().values():
        if section.title.islower():  # an alert's
            prose = re.sub(r"<(pre|code)>.*?</\1>", "", section.body, flags=re.DOTALL)
            assert not re.search(r"[`|]|\*\*|\]\(", prose), section.title


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\ntwo\n\nthree\n", "<p>one\ntwo</p><p>three</p>"),
        ("**a:** `b <c>`", "<p><strong>a:</strong> <code>b &lt;c&gt;</code></p>"),
        ("[here](#there) and [away](../away.md)", '<p><a href="there">here</a> and away</p>'),
        ("so:\n```\na < **b**\n```\nend", "<p>so:</p><pre><code>a &lt; **b**\n</code></pre><p>end</p>"),
        ("| a | b |\n|---|---|", "<pre>| a | b |\n|---|---|</pre>"),
        ("<script>", "<p>&lt;script&gt;</p>"),
    ],
)
def test_the_marks_that_the_guide_uses_become_html(text: str, html: str) -> None:
    assert render_markdown(text) == html
