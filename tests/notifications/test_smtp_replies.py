from __future__ import annotations

import pytest

from domain.errors import (
    AccountRefusedError,
    RateLimitedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
)
from domain.notification import Deferred, Rejected
from notifications.smtp_replies import Stage, refusal

ITEM, LATER = Rejected, Deferred
ACCOUNT, LOGIN, RATE, TRANSPORT = AccountRefusedError, UnauthorisedError, RateLimitedError, UpstreamError


@pytest.mark.parametrize(
    ("stage", "code", "text", "kind"),
    [
        (Stage.GREETING, 421, "4.3.2 service not available", TRANSPORT),
        (Stage.GREETING, 451, "4.7.1 later", TRANSPORT),
        (Stage.GREETING, 554, "5.7.1 your address is listed", ACCOUNT),
        (Stage.LOGIN, 535, "5.7.8 bad credentials", LOGIN),
        (Stage.LOGIN, 454, "4.7.0 temporary failure", TRANSPORT),
        (Stage.SENDER, 530, "5.5.1 Authentication Required", LOGIN),
        (Stage.SENDER, 550, "5.7.1 not you", ACCOUNT),
        (Stage.SENDER, 452, "4.3.1 insufficient system storage", TRANSPORT),
        (Stage.SENDER, 552, "5.3.4 message size exceeds the limit", ITEM),
        (Stage.RECIPIENT, 550, "5.1.1 no such user", ITEM),
        (Stage.RECIPIENT, 550, "no such user", ITEM),
        (Stage.RECIPIENT, 552, "5.2.2 mailbox full", ITEM),
        (Stage.RECIPIENT, 550, "5.2.1 The email account is disabled", ITEM),
        (Stage.RECIPIENT, 550, "5.1.1 <sender@example.edu>: unknown", ITEM),
        (Stage.RECIPIENT, 450, "4.2.1 mailbox busy", LATER),
        (Stage.RECIPIENT, 450, "4.7.1 greylisted", LATER),
        (Stage.RECIPIENT, 451, "try again", LATER),
        (Stage.RECIPIENT, 452, "4.2.2 over quota", LATER),
        (Stage.RECIPIENT, 452, "4.3.1 insufficient system storage", TRANSPORT),
        (Stage.RECIPIENT, 421, "4.7.0 closing", TRANSPORT),
        (Stage.RECIPIENT, 554, "5.7.1 <a@example.edu>: Relay access denied", ACCOUNT),
        (Stage.RECIPIENT, 550, "5.1.8 sender domain not found", ACCOUNT),
        (Stage.RECIPIENT, 553, "5.7.1 Sender address rejected: not owned by user", ACCOUNT),
        (Stage.RECIPIENT, 550, "5.7.1 blocked by policy", LATER),
        (Stage.CONTENT, 550, "5.4.5 Daily user sending limit exceeded", ACCOUNT),
        (Stage.CONTENT, 550, "5.1.90 your message cannot be sent", ACCOUNT),
        (Stage.CONTENT, 554, "Message rejected: Email address is not verified", ACCOUNT),
        (Stage.CONTENT, 554, "sender not verified", ACCOUNT),
        (Stage.CONTENT, 550, "5.7.26 unauthenticated mail", ACCOUNT),
        (Stage.CONTENT, 454, "Throttling failure: Daily message quota exceeded", ACCOUNT),
        (Stage.CONTENT, 454, "Throttling failure: Maximum sending rate exceeded", RATE),
        (Stage.CONTENT, 552, "5.3.4 too big", ITEM),
        (Stage.CONTENT, 552, "message exceeds size limit", ITEM),
        (Stage.CONTENT, 554, "5.6.0 malformed", ITEM),
        (Stage.CONTENT, 550, "5.1.1 no such user", ITEM),
        (Stage.CONTENT, 554, "5.7.1 looks like spam", LATER),
        (Stage.CONTENT, 554, "transaction failed", LATER),
        (Stage.CONTENT, 451, "4.7.1 greylisted", LATER),
        (Stage.CONTENT, 451, "4.3.0 temporary failure", TRANSPORT),
        (Stage.CONTENT, 451, "local error", TRANSPORT),
    ],
)
def test_a_reply_has_a_meaning(
    stage: Stage, code: int, text: str, kind: type[Rejected | Deferred | RollcallError]
) -> None:
    assert type(refusal(stage, code, text)) is kind


def test_the_text_of_the_reply_is_kept() -> None:
    assert refusal(Stage.RECIPIENT, 550, "5.1.1 no such user") == Rejected("550 5.1.1 no such user")
    assert "550 5.4.5 daily limit" in str(refusal(Stage.CONTENT, 550, "5.4.5 daily limit"))
