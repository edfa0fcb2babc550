"""Object storage in a bucket of an S3-compatible service, through obstore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from domain.errors import ObjectNotFoundError, TransientError, UnauthorisedError
from providers.storage import StorageSettings, validate_key, validate_prefix

_ADDRESS_LIFETIME = timedelta(minutes=5)
_TIMEOUT = timedelta(seconds=60)
_PART_BYTES = 5 * 1024 * 1024  # the least that S3 takes


class Bucket:
    """Storage in the bucket and under the prefix of `settings.url`."""

    def __init__(self, settings: StorageSettings) -> None:
        parts = urlsplit(settings.url or "")
        endpoint = settings.endpoint_url
        access = {
            "endpoint": endpoint,
            "region": settings.region,
            "access_key_id": settings.access_key_id,
            "secret_access_key": settings.secret_access_key,
        }
        options: dict[str, Any] = {name: value for name, value in access.items() if value is not None}
        client: Any = {"timeout": _TIMEOUT, "allow_http": (endpoint or "").startswith("http:")}
        prefix = parts.path.strip("/") or None
        self._store = S3Store(parts.netloc, prefix=prefix, client_options=client, **options)

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store `content`."""
        with _translated(key):
            obstore.put(self._store, validate_key(key), content, attributes={"Content-Type": content_type})

    def put_file(self, key: str, file: BinaryIO, content_type: str) -> None:
        """Store the rest of `file` in parts, two at a time."""
        attributes = {"Content-Type": content_type}
        with _translated(key):
            obstore.put(
                self._store,
                validate_key(key),
                iter(partial(file.read, _PART_BYTES), b""),
                attributes=attributes,
                use_multipart=True,
                chunk_size=_PART_BYTES,
                max_concurrency=2,
            )

    def get(self, key: str) -> bytes:
        """The content."""
        with _translated(key):
            return bytes(obstore.get(self._store, validate_key(key)).bytes())

    def size(self, key: str) -> int:
        """The size in bytes."""
        with _translated(key):
            return obstore.head(self._store, validate_key(key))["size"]

    def stream(self, key: str) -> Iterator[bytes]:
        """The content in chunks."""
        with _translated(key):
            for chunk in obstore.get(self._store, validate_key(key)).stream():
                yield bytes(chunk)

    def address(self, key: str) -> str | None:
        """A signed URL, valid for five minutes."""
        with _translated(key):
            return obstore.sign(self._store, "GET", validate_key(key), _ADDRESS_LIFETIME)

    def delete(self, prefix: str) -> None:
        """Delete everything under `prefix`."""
        with _translated(prefix):
            for found in obstore.list(self._store, validate_prefix(prefix)):
                obstore.delete(self._store, [each["path"] for each in found])


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise ObjectNotFoundError(f"nothing is stored under {key}") from error
    except (UnauthenticatedError, PermissionDeniedError) as error:
        raise UnauthorisedError("the storage refuses our credentials") from error
    except (BaseError, OSError) as error:
        raise TransientError(f"the storage cannot be used ({type(error).__name__})") from error
