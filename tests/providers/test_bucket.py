from __future__ import annotations

import httpx
import pytest

from domain.errors import UnauthorisedError
from providers.bucket import Bucket
from tests.standins.bucket import BucketStandIn

KEY = "jobs/0d4b/report.pdf"


def test_content_is_stored_under_the_prefix_with_its_type(service: BucketStandIn, bucket: Bucket) -> None:
    bucket.put(KEY, b"content", "application/pdf")
    assert service.objects == {f"assets/rollcall/{KEY}": (b"content", "application/pdf")}


def test_the_signed_url_needs_no_credentials_and_contains_none(bucket: Bucket) -> None:
    bucket.put(KEY, b"content", "application/pdf")
    address = bucket.address(KEY)
    assert address is not None
    assert "X-Amz-Signature" in address
    assert "a secret" not in address
    assert httpx.get(address).content == b"content"


def test_refused_credentials_are_unauthorised(service: BucketStandIn, bucket: Bucket) -> None:
    service.refusal = 403
    with pytest.raises(UnauthorisedError):
        bucket.put(KEY, b"x", "text/plain")
