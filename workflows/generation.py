"""Jobs of kind `generation`: a picture made by an AI provider for one credit.

The account pays once, and only for a delivered picture: on any other outcome its credit is released.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

from domain.errors import InvalidInputError, ObjectNotFoundError, PermanentError, RejectedError
from domain.job import JsonObject, Profile
from domain.money import ACCOUNT
from providers.gemini import EXTENSIONS, MAX_ASSET_BYTES, Image, detect_image
from providers.storage import validate_key
from workflows.kind import GenerationContext, Job, JobFailure, JobKind

GEMINI = "gemini"


class ImageMaker:
    """Keeps the asset and the picture in memory; both are too large to store with a step.

    After a crash between two steps they are fetched or made again.
    """

    def __init__(self, job: Job, ports: GenerationContext, prompt: str, asset: str | None) -> None:
        self._job = job
        self._ports = ports
        self._prompt = prompt
        self._asset_key = asset
        self._asset: Image | None = None
        self._picture: Image | None = None

    def fetch(self) -> str | None:
        """Fetch the asset; return its content type, or None without one.

        Raises: PermanentError when it is unusable.
        """
        if self._asset_key is None:
            return None
        self._asset = _asset(self._job, self._asset_key)
        return self._asset.content_type

    def make(self) -> str:
        """Make the picture; return its content type."""
        draw = self._ports.draw
        if draw is None:
            raise PermanentError("no pictures can be made: GEMINI_API_KEY is not set")
        if self._asset is None:
            self.fetch()
        self._picture = self._job.services.breakers[GEMINI].call(draw, self._prompt, self._asset)
        return self._picture.content_type

    def store(self, content_type: str) -> dict[str, Any]:
        """Store the picture; return the artifact. `content_type` is that of the first picture made."""
        if self._picture is None:
            stored = self._stored_before(content_type)
            if stored is not None:
                return stored
            self.make()
        return self._put()

    def _put(self) -> dict[str, Any]:
        if self._picture is None:
            raise AssertionError("the picture was made before")
        content, content_type = self._picture.content, self._picture.content_type
        key = self._key(content_type)
        self._job.services.storage.put(key, content, content_type)
        return _artifact(key, content_type, len(content))

    def _stored_before(self, content_type: str) -> dict[str, Any] | None:
        """Return the artifact that an earlier process stored before it died."""
        key = self._key(content_type)
        try:
            return _artifact(key, content_type, self._job.services.storage.size(key))
        except ObjectNotFoundError:
            return None

    def _key(self, content_type: str) -> str:
        return f"jobs/{self._job.id}/picture.{EXTENSIONS[content_type]}"


def _asset(job: Job, key: str) -> Image:
    storage = job.services.storage
    try:
        is_small = storage.size(key) <= MAX_ASSET_BYTES
        content = storage.get(key) if is_small else b""
    except ObjectNotFoundError as error:
        raise PermanentError(f"the asset {key} is not in the storage") from error
    if not is_small:
        raise PermanentError(f"the asset {key} is larger than {MAX_ASSET_BYTES // 1024**2} MiB")
    try:
        return detect_image(content)
    except RejectedError as error:
        raise PermanentError(f"the asset {key} cannot be used: {error}") from error


def _artifact(key: str, content_type: str, size: int) -> dict[str, Any]:
    return {"artifact": key, "content_type": content_type, "bytes": size}


COST = 1
MAX_PROMPT = 8000  # characters
_MAX_KEY = 1024
_STEPS = 5
_MAKE_ATTEMPTS = 8  # over about four minutes, excluding waits for the provider's breaker
_LEDGER_ATTEMPTS = 25  # over about an hour and a half: depends on the database alone
_STORE_ATTEMPTS = 10  # over about a quarter of an hour, in which an operator may free disk space


@dataclass(frozen=True, slots=True)
class GenerationInput:
    """Input: a picture of `prompt` for `account`; `asset` is the key of a stored source picture."""

    account: str
    prompt: str
    asset: str | None = None


def read(payload: JsonObject) -> GenerationInput:
    """Parse the payload. Raises: InvalidInputError that names each bad field."""
    account, prompt, asset = (payload.get(name) for name in GenerationInput.__slots__)
    found = {
        **{name: "is not a known field" for name in payload if name not in GenerationInput.__slots__},
        "account": _account_problem(account),
        "prompt": _prompt_problem(prompt),
        "asset": None if asset is None else _asset_problem(asset),
    }
    problems = {name: problem for name, problem in found.items() if problem is not None}
    if problems:
        raise InvalidInputError(problems)
    return GenerationInput(str(account), str(prompt), None if asset is None else str(asset))


def run(job: Job, request: GenerationInput) -> JsonObject:
    """Reserve a credit, fetch the asset, make the picture, store it, and spend the credit."""
    ports = _ports(job)
    maker = ImageMaker(job, ports, request.prompt, request.asset)
    job.report_progress(0, _STEPS, "reserving a credit")
    job.step("reserve", lambda: _reserve(job, request))
    job.report_progress(1, _STEPS, "fetching the asset")
    job.step("fetch", maker.fetch)
    job.report_progress(2, _STEPS, "making the picture")
    content_type = job.step("make", maker.make, attempts=_MAKE_ATTEMPTS)
    job.report_progress(3, _STEPS, "storing it")
    artifact = job.step("store", lambda: maker.store(content_type), attempts=_STORE_ATTEMPTS)
    job.report_progress(4, _STEPS, "spending the credit")
    job.step("capture", lambda: _capture(job, request), attempts=_LEDGER_ATTEMPTS, must_finish=True)
    job.report_progress(_STEPS, _STEPS, "done")
    return artifact | {"credits": COST}


def compensate(job: Job, payload: JsonObject, _: JobFailure) -> None:
    """Release the credit."""
    account = payload.get("account")
    if isinstance(account, str) and ACCOUNT.matches(account):
        job.step("refund", lambda: _refund(job, account), attempts=_LEDGER_ATTEMPTS)


def _reserve(job: Job, request: GenerationInput) -> None:
    ports = _ports(job)
    if ports.draw is None:
        raise PermanentError("no pictures can be made: GEMINI_API_KEY is not set")
    ports.ledger.reserve(request.account, job.id, COST, job.services.clock.now())


def _capture(job: Job, request: GenerationInput) -> None:
    _ports(job).ledger.capture(request.account, job.id, job.services.clock.now())


def _refund(job: Job, account: str) -> int:
    return _ports(job).ledger.refund(account, job.id, job.services.clock.now())


def _ports(job: Job) -> GenerationContext:
    if job.services.generation is None:
        raise PermanentError("this process makes no pictures")
    return job.services.generation


def _account_problem(value: object) -> str | None:
    if isinstance(value, str) and ACCOUNT.matches(value):
        return None
    return "must be 1 to 64 letters, digits, - and _, and begin with a letter or digit"


def _prompt_problem(value: object) -> str | None:
    if not isinstance(value, str) or not value.strip() or len(value) > MAX_PROMPT:
        return f"must be a text of 1 to {MAX_PROMPT} characters"
    if any(unicodedata.category(each) in {"Cc", "Cs"} and each not in "\n\r\t" for each in value):
        return "must not contain control characters or lone surrogates"
    return None


def _asset_problem(value: object) -> str | None:
    """Return what is wrong with a key. Whether an object exists under it is checked when the job runs."""
    if not isinstance(value, str) or len(value) > _MAX_KEY:
        return "must be the key of a stored picture"
    try:
        validate_key(value)
    except PermanentError as error:
        return str(error)
    return None


KIND = JobKind(
    "generation",
    Profile.REALTIME,
    read,
    run,
    compensate,
    at_once=4,
    partition_key=lambda request: request.account,
)
