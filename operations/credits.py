"""What operators do to credits."""

from __future__ import annotations

from actors.services import Services
from domain.errors import InvalidInputError
from domain.money import MAX_GRANT, Transfer, is_account
from operations.record import entry


def grant(
    services: Services, account: str, amount: int, key: str, by: str, *, reason: str | None = None
) -> tuple[Transfer, bool]:
    """The grant and True; the one that `key` has made before, and False. Raises: InvalidInputError."""
    problems = {}
    if not is_account(account):
        problems["account"] = "must be 1 to 64 letters, digits, - and _, and begin with a letter or digit"
    if not 0 < amount <= MAX_GRANT:
        problems["credits"] = f"must be a whole number from 1 to {MAX_GRANT}"
    if problems:
        raise InvalidInputError(problems)
    told = entry(services, by, "credit.grant", f"account/{account}", credits=amount, key=key, reason=reason)
    now = services.clock.now()
    return services.store.credits.grant(account, amount, key, now, reason=reason, entry=told)
