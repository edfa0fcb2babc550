"""Object storage in a bucket of an S3-compatible service, through obstore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from domain.errors import StorageWriteError, TransientError, UnauthorisedError
from providers.storage import checked_prefix, validate_key

_ADDRESS_LIFETIME = timedelta(minutes=5)
_TIMEOUT = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class BucketCredentials:
    """How to reach a bucket; None means the service's default."""

    endpoint: str | None = None
    region: str | None = None
    key_id: str | None = field(default=None, repr=False)
    secret: str | None = field(default=None, repr=False)


class Bucket:
    """Storage in `bucket`, under `prefix`."""

    def __init__(self, bucket: str, prefix: str | None, access: BucketCredentials) -> None:
        given = {
            "endpoint": access.endpoint,
            "region": access.region,
            "access_key_id": access.key_id,
            "secret_access_key": access.secret,
        }
        options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        is_plain = access.endpoint is not None and access.endpoint.startswith("http:")
        client: Any = {"timeout": _TIMEOUT, "allow_http": is_plain}
        self._store = S3Store(bucket, prefix=prefix, client_options=client, **options)

    def put(self, key: str, content: bytes, content_type: str) -> None:
        """Store `content`."""
        with _translated(key):
            obstore.put(self._store, validate_key(key), content, attributes={"Content-Type": content_type})

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
            for found in obstore.list(self._store, checked_prefix(prefix)):
                obstore.delete(self._store, [each["path"] for each in found])


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise StorageWriteError(f"nothing is stored under {key}") from error
    except (UnauthenticatedError, PermissionDeniedError) as error:
        raise UnauthorisedError("the storage refuses our credentials") from error
    except (BaseError, OSError) as error:
        raise TransientError(f"the storage cannot be used ({type(error).__name__})") from error
