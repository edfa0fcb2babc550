from __future__ import annotations

from pathlib import Path

from rollcall.roles.jobs import executor_name


def test_a_name_is_the_same_after_a_restart_and_no_one_elses_meanwhile(tmp_path: Path) -> None:
    with executor_name(tmp_path) as first, executor_name(tmp_path) as second:
        assert first != second
    with executor_name(tmp_path) as again:
        assert again == first


def test_two_homes_of_one_host_have_names_of_their_own(tmp_path: Path) -> None:
    names = []
    for home in ("one", "two"):
        (tmp_path / home).mkdir()
        with executor_name(tmp_path / home) as name:
            names.append(name)
    assert len(set(names)) == 2
