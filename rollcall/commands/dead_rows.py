"""Dead letters as rows: all of one, or what fits on a line."""

from __future__ import annotations

from typing import Any

from resilience.dead_letter_cause import DeadLetter


def full_row(letter: DeadLetter) -> dict[str, Any]:
    """Everything that is known of it."""
    message = letter.message
    return {
        "message_id": letter.message_id,
        "queue": letter.queue,
        "actor": message.actor_name,
        "args": list(message.args),
        "kwargs": message.kwargs,
        "cause": letter.cause,
        "given_up": letter.given_up,
        "failures": letter.failures,
        "retried": letter.retried,
        "enqueued_at": letter.enqueued_at,
        "died_at": letter.died_at,
        "expires_at": letter.expires_at,
        "traceback": letter.traceback,
        "deaths": letter.deaths,
    }


def brief_row(letter: DeadLetter) -> dict[str, Any]:
    """What tells it from others; its call as it would be written."""
    return {
        "died_at": letter.died_at,
        "expires_at": letter.expires_at,
        "enqueued_at": letter.enqueued_at,
        "call": str(letter.message),
        "failures": letter.failures,
        "retried": letter.retried,
        "message_id": letter.message_id,
    }
