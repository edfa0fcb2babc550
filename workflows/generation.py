"""Jobs of kind `generation`: a picture made by an AI provider, for one credit.

The account pays once, and only for what was delivered: whatever else happens, its credit comes back.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from domain.errors import InvalidInputError, PermanentError
from domain.job import JsonObject
from domain.money import is_account
from providers.storage import validate_key
from workflows.easel import Easel
from workflows.job import Job, JobFailure
from workflows.services import GenerationContext

COST = 1
MAX_PROMPT = 8000  # characters
_MAX_KEY = 1024
_STEPS = 5
_MAKE_ATTEMPTS = 8  # over about four minutes, beside what the provider's breaker makes them wait
_LEDGER_ATTEMPTS = 25  # over about an hour and a half: the database alone decides
_STORE_ATTEMPTS = 10  # over about a quarter of an hour, in which somebody may make room


@dataclass(frozen=True, slots=True)
class GenerationInput:
    """A picture for `account`, as `prompt` says; `asset` is the key of a stored one to make it from."""

    account: str
    prompt: str
    asset: str | None = None


def read(given: JsonObject) -> GenerationInput:
    """The wish that `given` holds. Raises: InvalidInputError that names each bad field."""
    account, prompt, asset = (given.get(name) for name in GenerationInput.__slots__)
    found = {
        **{name: "is not a known field" for name in given if name not in GenerationInput.__slots__},
        "account": _account_problem(account),
        "prompt": _prompt_problem(prompt),
        "asset": None if asset is None else _asset_problem(asset),
    }
    problems = {name: problem for name, problem in found.items() if problem is not None}
    if problems:
        raise InvalidInputError(problems)
    return GenerationInput(str(account), str(prompt), None if asset is None else str(asset))


def run(job: Job, wish: GenerationInput) -> JsonObject:
    """Reserve a credit, fetch the asset, make the picture, store it, and spend the credit."""
    ports = _ports(job)
    easel = Easel(job, ports, wish.prompt, wish.asset)
    job.tell(0, _STEPS, "reserving a credit")
    job.step("reserve", lambda: _reserve(job, wish))
    job.tell(1, _STEPS, "fetching the asset")
    job.step("fetch", easel.fetch)
    job.tell(2, _STEPS, "making the picture")
    content_type = job.step("make", easel.make, attempts=_MAKE_ATTEMPTS)
    job.tell(3, _STEPS, "storing it")
    artifact = job.step("store", lambda: easel.store(content_type), attempts=_STORE_ATTEMPTS)
    job.tell(4, _STEPS, "spending the credit")
    job.step("capture", lambda: _capture(job, wish), attempts=_LEDGER_ATTEMPTS)
    job.tell(_STEPS, _STEPS, "done")
    return artifact | {"credits": COST}


def compensate(job: Job, given: JsonObject, _: JobFailure) -> None:
    """Give the credit back."""
    account = given.get("account")
    if isinstance(account, str) and is_account(account):
        job.step("refund", lambda: _refund(job, account), attempts=_LEDGER_ATTEMPTS)


def _reserve(job: Job, wish: GenerationInput) -> None:
    ports = _ports(job)
    if ports.draw is None:
        raise PermanentError("no pictures can be made: GEMINI_API_KEY is not set")
    ports.ledger.reserve(wish.account, job.id, COST, job.services.clock.now())


def _capture(job: Job, wish: GenerationInput) -> None:
    _ports(job).ledger.capture(wish.account, job.id, job.services.clock.now())


def _refund(job: Job, account: str) -> int:
    return _ports(job).ledger.refund(account, job.id, job.services.clock.now())


def _ports(job: Job) -> GenerationContext:
    if job.services.generation is None:
        raise PermanentError("this process makes no pictures")
    return job.services.generation


def _account_problem(value: object) -> str | None:
    if isinstance(value, str) and is_account(value):
        return None
    return "must be 1 to 64 letters, digits, - and _, and begin with a letter or digit"


def _prompt_problem(value: object) -> str | None:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_PROMPT:
        return f"must be a text of 1 to {MAX_PROMPT} characters"
    if any(unicodedata.category(each) in {"Cc", "Cs"} and each not in "\n\r\t" for each in value):
        return "must not contain control characters or lone surrogates"
    return None


def _asset_problem(value: object) -> str | None:
    """What is wrong with a key; what is stored under it is looked at when the job runs."""
    if not isinstance(value, str) or len(value) > _MAX_KEY:
        return "must be the key of a stored picture"
    try:
        validate_key(value)
    except PermanentError as error:
        return str(error)
    return None
