from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from domain.errors import PermanentError, StorageWriteError, UnauthorisedError
from providers.bucket import Bucket, BucketCredentials
from tests.standins.bucket import BucketStandIn, bucket_standin

KEY = "jobs/0d4b/report.pdf"


@pytest.fixture
def service() -> Iterator[BucketStandIn]:
    with bucket_standin() as found:
        yield found


@pytest.fixture
def bucket(service: BucketStandIn) -> Bucket:
    return Bucket(
        "assets", "rollcall", BucketCredentials(service.url, "eu-central-1", "a key", "a secret of the tests")
    )


def test_what_is_put_can_be_had_again(service: BucketStandIn, bucket: Bucket) -> None:
    bucket.put(KEY, b"content", "application/pdf")
    assert service.objects == {f"assets/rollcall/{KEY}": (b"content", "application/pdf")}
    assert bucket.get(KEY) == b"".join(bucket.stream(KEY)) == b"content"
    assert bucket.size(KEY) == 7


def test_its_address_gives_it_without_a_key(bucket: Bucket) -> None:
    bucket.put(KEY, b"content", "application/pdf")
    address = bucket.address(KEY)
    assert address is not None
    assert "X-Amz-Signature" in address
    assert "a secret" not in address
    assert httpx.get(address).content == b"content"


def test_what_is_not_there_is_said_to_be_so(bucket: Bucket) -> None:
    for ask in (bucket.get, bucket.size, lambda key: list(bucket.stream(key))):
        with pytest.raises(StorageWriteError):
            ask(KEY)


def test_everything_under_a_prefix_is_forgotten_and_nothing_else(
    service: BucketStandIn, bucket: Bucket
) -> None:
    for key in ("jobs/1/a", "jobs/1/b/c", "jobs/10/d"):
        bucket.put(key, b"x", "text/plain")
    bucket.delete("jobs/1/")
    bucket.delete("jobs/1/")
    assert list(service.objects) == ["assets/rollcall/jobs/10/d"]


def test_a_refusal_of_our_credentials_is_permanent(service: BucketStandIn, bucket: Bucket) -> None:
    service.refusal = 403
    with pytest.raises(UnauthorisedError):
        bucket.put(KEY, b"x", "text/plain")


def test_a_key_cannot_lead_elsewhere(bucket: Bucket) -> None:
    with pytest.raises(PermanentError, match="is no key"):
        bucket.get("../x")
