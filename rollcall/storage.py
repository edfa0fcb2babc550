"""Builds the object storage of the settings."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from domain.ports import Storage
from providers.storage import Folder
from rollcall.settings import Settings


def storage_of(settings: Settings) -> Storage:
    """Return the storage of `settings`. Nothing connects yet."""
    folder = folder_of(settings)
    if folder is not None:
        return Folder(folder)
    parts = urlsplit(settings.storage_url or "")
    from providers.bucket import Bucket, BucketCredentials  # noqa: PLC0415 - 15 MB that a folder does without

    access = BucketCredentials(
        endpoint=settings.storage_endpoint_url,
        region=settings.storage_region,
        key_id=settings.storage_access_key_id,
        secret=settings.storage_secret_access_key,
    )
    return Bucket(parts.netloc, parts.path.strip("/") or None, access)


def folder_of(settings: Settings) -> Path | None:
    """Return the folder that holds all objects; None for a bucket."""
    if settings.storage_url is None:
        return settings.home / "storage"
    parts = urlsplit(settings.storage_url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None
