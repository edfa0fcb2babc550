from __future__ import annotations

from collections.abc import Iterator

import pytest

from providers.bucket import Bucket
from providers.storage import StorageSettings
from tests.standins.bucket import BucketStandIn, bucket_standin


@pytest.fixture
def service() -> Iterator[BucketStandIn]:
    with bucket_standin() as found:
        yield found


@pytest.fixture
def bucket(service: BucketStandIn) -> Bucket:
    return Bucket(
        StorageSettings(
            url="s3://assets/rollcall",
            endpoint_url=service.url,
            region="eu-central-1",
            access_key_id="a key",
            secret_access_key="a secret of the tests",
        )
    )
