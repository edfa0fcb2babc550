"""The picture of one job, from its asset to the storage."""

from __future__ import annotations

from typing import Any

from domain.errors import PermanentError, RejectedError, StorageWriteError
from providers.gemini import EXTENSIONS, MAX_ASSET_BYTES, Image, detect_image
from workflows.attempt import call_with_breaker
from workflows.job import Job
from workflows.services import GenerationContext

GEMINI = "gemini"


class Easel:
    """Holds the asset and the picture, as long as this process lives: too much to be kept with a step.

    What a crash takes away between two steps is fetched, or made, again.
    """

    def __init__(self, job: Job, ports: GenerationContext, prompt: str, asset: str | None) -> None:
        self._job = job
        self._ports = ports
        self._prompt = prompt
        self._asset_key = asset
        self._asset: Image | None = None
        self._picture: Image | None = None

    def fetch(self) -> str | None:
        """The asset's content type; None without one. Raises: PermanentError when it cannot be used."""
        if self._asset_key is None:
            return None
        self._asset = _asset(self._job, self._asset_key)
        return self._asset.content_type

    def make(self) -> str:
        """Have the picture made; its content type."""
        draw = self._ports.draw
        if draw is None:
            raise PermanentError("no pictures can be made: GEMINI_API_KEY is not set")
        if self._asset is None:
            self.fetch()
        guard = self._job.services.breakers[GEMINI]
        self._picture = call_with_breaker(guard, lambda: draw(self._prompt, self._asset))
        return self._picture.content_type

    def store(self, content_type: str) -> dict[str, Any]:
        """Store it; the artifact. `content_type` is that of the picture as it was first made."""
        if self._picture is None:
            stored = self._stored_before(content_type)
            if stored is not None:
                return stored
            self.make()
        return self._put()

    def _put(self) -> dict[str, Any]:
        if self._picture is None:
            raise AssertionError("it has just been made")
        content, content_type = self._picture.content, self._picture.content_type
        key = self._key(content_type)
        self._job.services.storage.put(key, content, content_type)
        return _artifact(key, content_type, len(content))

    def _stored_before(self, content_type: str) -> dict[str, Any] | None:
        """What was stored before the process died that did it."""
        key = self._key(content_type)
        try:
            return _artifact(key, content_type, self._job.services.storage.size(key))
        except StorageWriteError:
            return None

    def _key(self, content_type: str) -> str:
        return f"jobs/{self._job.id}/picture.{EXTENSIONS[content_type]}"


def _asset(job: Job, key: str) -> Image:
    storage = job.services.storage
    try:
        is_small = storage.size(key) <= MAX_ASSET_BYTES
        content = storage.get(key) if is_small else b""
    except StorageWriteError as error:
        raise PermanentError(f"the asset {key} is not in the storage") from error
    if not is_small:
        raise PermanentError(f"the asset {key} is larger than {MAX_ASSET_BYTES // 1024**2} MiB")
    try:
        return detect_image(content)
    except RejectedError as error:
        raise PermanentError(f"the asset {key} cannot be used: {error}") from error


def _artifact(key: str, content_type: str, size: int) -> dict[str, Any]:
    return {"artifact": key, "content_type": content_type, "bytes": size}
