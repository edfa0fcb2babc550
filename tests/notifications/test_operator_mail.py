from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.alert import Alert, AlertNotification, AlertState, RunbookLink
from domain.errors import RejectedError
from domain.notification import DeliveryResult, OutboundMessage, Rejected
from notifications.messages import to_mime
from notifications.operator_mail import OperatorMail
from tests.support.mailer import FakeMailer

AT = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
ALERT = Alert("sources/scraper", AlertState.RAISED, 1, "It is silent", "5 < 6 & more", "rollcall cron ls", AT)
RAISED = AlertNotification(7, ALERT, "mail", AT)
RESOLVED = replace(RAISED, id=8, alert=replace(ALERT, state=AlertState.CLEARED))


def links(name: str) -> RunbookLink:
    url = "https://example.edu"
    return RunbookLink(f"{url}/health", f"{url}/console/?about={name}&now=1", f"{url}/runbook/silent")


def operator_mail(post: FakeMailer, to: str = "operator@example.edu") -> OperatorMail:
    return OperatorMail(post, "Rollcall <rollcall@example.edu>", to, links)


class RefusingPost(FakeMailer):
    def _accept(self, messages: Sequence[OutboundMessage], key: str) -> list[DeliveryResult]:
        return [Rejected("no such user") for _ in messages]


def test_the_subject_states_the_problem_and_when_it_is_resolved() -> None:
    mail = operator_mail(FakeMailer())
    assert mail.message(RAISED).subject == "It is silent"
    assert mail.message(RESOLVED).subject == "Resolved: It is silent"
    assert "No action is needed." in mail.message(RESOLVED).text


def test_the_text_and_html_parts_have_the_same_content() -> None:
    parts = to_mime(operator_mail(FakeMailer()).message(RAISED), AT).iter_parts()
    text, html = (part.get_content() for part in parts)
    assert "5 < 6 & more" in text
    assert "5 &lt; 6 &amp; more" in html


def test_both_parts_link_to_the_console_and_the_runbook() -> None:
    message = operator_mail(FakeMailer()).message(RAISED)
    post = links("sources/scraper")
    assert message.text.endswith(f"Console: {post.console}\nRunbook: {post.runbook}\n")
    assert f'href="{post.console.replace("&", "&amp;")}"' in message.html
    assert f'href="{post.runbook}"' in message.html


def test_a_notification_is_sent_once_per_address() -> None:
    post = FakeMailer()
    for _ in range(2):
        operator_mail(post).send(RAISED)
    assert len(post.sent) == 1
    operator_mail(post).send(RESOLVED)
    operator_mail(post, "another@example.edu").send(RAISED)
    assert len(post.sent) == 3
    assert all(key.startswith("rollcall-alert-") for key in post.keys)


def test_a_rejected_message_is_an_error() -> None:
    with pytest.raises(RejectedError, match="no such user"):
        operator_mail(RefusingPost()).send(RAISED)
