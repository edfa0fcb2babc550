from __future__ import annotations

import pytest

from domain.errors import RejectedError, UnreachableError
from providers.public_address import resolve_public_address

PRIVATE = (
    *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),
    *("169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "224.0.0.1", "255.255.255.255"),
    *("[::1]", "[::]", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:127.0.0.1]", "[::7f00:1]", "[ff02::1]"),
    *("[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "localhost"),
    *("[fec0::1]", "[::ffff:0:7f00:1]", "[4000::1]", "192.88.99.1"),
    *("192.0.0.192", "192.0.0.8", "192.0.0.9", "192.0.0.10", "192.0.2.1", "192.31.196.1", "192.52.193.1"),
    *("192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "240.0.0.1"),
    *("0.1.2.3", "100.127.255.255", "172.31.255.255", "239.255.255.255", "3221225664"),
    *("[::ffff:8.8.8.8]", "[::ffff:192.0.0.192]", "[::8.8.8.8]", "[64:ff9b::808:808]", "[64:ff9b:1::1]"),
    *("[100::1]", "[100:0:0:1::1]", "[2001::1]", "[2001:10::1]", "[2001:1ff:ffff::1]", "[2001:db8::1]"),
    *("[2002:808:808::1]", "[2620:4f:8000::1]", "[3fff::1]", "[3fff:fff::1]", "[5f00::1]", "[fc00::1]"),
)


@pytest.mark.parametrize("host", PRIVATE)
def test_an_address_outside_the_public_internet_is_refused(host: str) -> None:
    with pytest.raises(RejectedError, match="not public"):
        resolve_public_address(f"http://{host}:8080/hook")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://8.8.8.8/hook", ("8.8.8.8", 443)),
        ("http://8.8.8.8/hook", ("8.8.8.8", 80)),
        ("http://[2606:4700:4700::1111]:8443/", ("2606:4700:4700::1111", 8443)),
        ("http://192.0.1.1/", ("192.0.1.1", 80)),
        ("http://172.32.0.1/", ("172.32.0.1", 80)),
        ("http://100.128.0.1/", ("100.128.0.1", 80)),
        ("http://198.20.0.1/", ("198.20.0.1", 80)),
        ("http://[2001:200::1]/", ("2001:200::1", 80)),
        ("http://[2003::1]/", ("2003::1", 80)),
    ],
)
def test_a_public_host_is_resolved_to_its_address(url: str, found: tuple[str, int]) -> None:
    assert resolve_public_address(url) == found


def test_an_unknown_host_name_is_unreachable() -> None:
    with pytest.raises(UnreachableError):
        resolve_public_address("https://no-such-host.invalid/")
