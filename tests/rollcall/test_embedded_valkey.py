from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import ConfigurationError
from rollcall.embedded_valkey import command, redis_url, socket_path
from rollcall.settings import parse
from rollcall.wiring import redis_client


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home whose path is too long for a socket, which lies in the shared temporary folder instead."""
    found = tmp_path / ("h" * 90)
    found.mkdir()
    folder = socket_path(found).parent
    assert found not in folder.parents
    yield found
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        folder.chmod(0o700)
        folder.rmdir()


def test_the_folder_of_the_socket_is_made_for_this_user_alone(home: Path) -> None:
    folder = socket_path(home).parent
    redis_url(home)
    command(home)
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o750, 0o710])
def test_a_folder_that_others_may_enter_is_refused(home: Path, mode: int) -> None:
    folder = socket_path(home).parent
    folder.mkdir()
    folder.chmod(mode)
    for use in (redis_url, command):
        with pytest.raises(ConfigurationError, match="of this user alone"):
            use(home)


def test_a_link_is_refused_wherever_it_leads(home: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir(mode=0o700)
    socket_path(home).parent.symlink_to(own)
    for use in (redis_url, command):
        with pytest.raises(ConfigurationError, match="ROLLCALL_HOME"):
            use(home)


def test_a_folder_of_another_owner_is_refused(home: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    folder = socket_path(home).parent
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    for use in (redis_url, command):
        with pytest.raises(ConfigurationError, match="of this user alone"):
            use(home)


def test_a_file_in_its_place_is_refused(home: Path) -> None:
    folder = socket_path(home).parent
    folder.write_text("")
    with pytest.raises(ConfigurationError):
        redis_url(home)
    folder.unlink()


@pytest.mark.parametrize("name", ["a#b", "a?b=c", "a%41b", "a b", "ä"])
def test_the_socket_is_found_whatever_the_home_is_called(name: str) -> None:
    home = Path("/tmp") / name  # noqa: S108 - nothing is made there
    client = redis_client(parse({"ROLLCALL_HOME": str(home)}))
    assert client.connection_pool.connection_kwargs["path"] == str(socket_path(home))
