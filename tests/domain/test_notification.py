from __future__ import annotations

from domain.notification import NotificationState


def test_the_names_of_the_states_are_the_contracts() -> None:
    on_their_way = ["pending", "sending", "sent", "delivered"]
    ended = ["bounced", "complained", "suppressed", "dead"]
    assert [state.value for state in NotificationState] == on_their_way + ended
