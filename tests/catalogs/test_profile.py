from __future__ import annotations

import tomllib
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from catalogs import banner9
from catalogs.banner9_requests import BannerOptions
from catalogs.family import Family
from catalogs.profile import SHIPPED, Profiles, profile_text
from domain.errors import ConfigurationError, InvalidInputError
from rollcall import plugins

BANNER = banner9.FAMILY
QUICK = Family("quick", "Publishes max-age 30", BannerOptions, banner9.Banner9, lambda url: None, 30)
FAMILIES: dict[str, Family[Any]] = {
    "quick": QUICK,
    **{name: plugins.family(name) for name in plugins.FAMILIES},
}
PROFILE = """
id = "state"
name = "State University"
family = "banner9"
base_url = "https://ssb.example.edu/StudentRegistrationSsb"
timezone = "America/Chicago"
"""
PATH = Path("/etc/state.toml")


@pytest.fixture
def profiles(tmp_path: Path) -> Profiles:
    return Profiles(FAMILIES, FAMILIES.__getitem__, tmp_path, {"mail"})


def changed(*lines: str) -> str:
    """The profile with `lines` in place of those that set the same key; new keys come before any table."""
    own = {line.partition(" = ")[0] for line in lines}
    kept = [line for line in PROFILE.strip().splitlines() if line.partition(" = ")[0] not in own]
    tables = [line for line in lines if line.startswith("[")]
    return "\n".join([*kept, *(line for line in lines if not line.startswith("[")), *tables])


def polling(line: str, **changes: str) -> str:
    keys = [f'{key} = "{value}"' for key, value in changes.items()]
    return f"{changed(*keys)}\n[polling]\n{line}\n"


def test_a_profile_has_the_options_of_its_family(profiles: Profiles) -> None:
    text = changed('mep_code = "OSU"', 'registration_url = "https://r.example.edu/?t={term}&c={section}"')
    found = profiles.decode(text, PATH)
    assert (found.id, found.family, str(found.timezone)) == ("state", BANNER, "America/Chicago")
    assert found.options == BannerOptions(
        base_url="https://ssb.example.edu/StudentRegistrationSsb", mep_code="OSU"
    )
    assert found.registration_url == "https://r.example.edu/?t={term}&c={section}"
    assert (found.polling.every_seconds, found.polling.requests_per_minute) == (60, 30)
    assert found.catalog().capabilities.counts


@pytest.mark.parametrize(
    ("text", "key", "problem"),
    [
        (changed('mepcode = "OSU"'), "mepcode", "is not a key of profiles"),
        (changed("mep_code = 7"), "mep_code", "Expected `str`, got `int`"),
        (changed('timezone = "Mars/Olympus"'), "timezone", "must be a time zone of this machine"),
        (changed('timezone = ""'), "timezone", "must be a time zone of this machine"),
        (
            changed('family = "vsb"'),
            "family",
            "'vsb' is not a family; the families are asu, banner9, ",
        ),
        (changed('id = "State"'), "id", "must be lower-case letters"),
        (changed('id = "mail"'), "id", "mail names another source"),
        (changed('name = ""'), "name", "must not be empty"),
        (changed('name = "a\\u200Bb"'), "name", "contains an invisible character (U+200B)"),
        (changed('base_url = "http://ssb.example.edu"'), "base_url", "must be an https URL"),
        (changed('base_url = "http://8.8.8.8"'), "base_url", "must be an https URL"),
        (changed('base_url = "https://u:p@ssb.example.edu"'), "base_url", "must be an https URL"),
        (changed('base_url = "https://[x"'), "base_url", "must be an https URL"),
        (changed('base_url = "https://ssb.example.edu/?a=1"'), "base_url", "must have neither a query"),
        (changed('base_url = "https://ssb.example.edu/a b"'), "base_url", "is not a URL"),
        (changed('registration_url = "https://x.edu/{crn}"'), "registration_url", "may contain only"),
        (changed('registration_url = "https://x.edu/{term!r}"'), "registration_url", "may contain only"),
        (changed('registration_url = "https://x.edu/{}"'), "registration_url", "may contain only"),
        (changed('registration_url = "https://x.edu/{term"'), "registration_url", "has an unpaired brace"),
        (changed('registration_url = "https://{term}.edu/"'), "registration_url", "is not a URL"),
        (changed('registration_url = "http://x.edu/"'), "registration_url", "must be an https URL"),
        (polling("every_seconds = 59"), "polling.every_seconds", "must be from 60 to 86400"),
        (polling("every_seconds = 29", family="quick"), "polling.every_seconds", "must be from 30 to 86400"),
        (polling("every_seconds = 60.5"), "polling.every_seconds", "Expected `int`, got `float`"),
        (polling("requests_per_minute = 31"), "polling.requests_per_minute", "must be from 1 to 30"),
        (polling("daily_requests = 0"), "polling.daily_requests", "must be from 1 to 1000000"),
        (polling("hourly_requests = 1"), "polling.hourly_requests", "is not a key of profiles"),
        (changed("polling = 60"), "polling", "Expected `object`, got `int`"),
    ],
)
def test_an_invalid_key_is_one_line_with_its_file_and_name(
    profiles: Profiles, text: str, key: str, problem: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        profiles.decode(text, PATH)
    [(name, said)] = caught.value.problems.items()
    assert name == f"{PATH}: {key}"
    assert said.startswith(problem)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["id", "name", "family", "base_url", "timezone"])
def test_a_missing_key_is_named(profiles: Profiles, key: str) -> None:
    text = "\n".join(line for line in PROFILE.splitlines() if not line.startswith(f"{key} ="))
    with pytest.raises(ConfigurationError) as caught:
        profiles.decode(text, PATH)
    assert caught.value.problems == {f"{PATH}: {key}": "is missing"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://[::1]", "http://10.1.2.3/x", "http://ssb"])
def test_private_hosts_may_use_http_and_be_asked_more_often(profiles: Profiles, url: str) -> None:
    found = profiles.decode(polling("requests_per_minute = 6000", base_url=url), PATH)
    assert (found.options.base_url, found.polling.requests_per_minute) == (url, 6000)


def test_a_family_with_fresher_data_is_polled_more_often(profiles: Profiles) -> None:
    assert profiles.decode(changed('family = "quick"'), PATH).polling.every_seconds == 30
    assert profiles.decode(polling("every_seconds = 45", family="quick"), PATH).polling.every_seconds == 45


def test_utc_is_a_time_zone(profiles: Profiles) -> None:
    assert profiles.decode(changed('timezone = "UTC"'), PATH).timezone is UTC


def test_profiles_are_found_by_id_and_by_path(profiles: Profiles, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(PROFILE)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other.toml").write_text(changed('id = "temple"'))
    assert profiles.find("state").path == tmp_path / "mine.toml"
    assert profiles.find(str(elsewhere / "other.toml")).name == "State University"
    assert profiles.find("temple").name == "Temple University"
    with pytest.raises(InvalidInputError, match="nowhere"):
        profiles.find("nowhere")


def test_two_profiles_with_one_id_are_refused(profiles: Profiles, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(changed('id = "temple"'))
    other = SHIPPED / "temple.toml"
    for read in (profiles.all, lambda: profiles.find("temple")):
        with pytest.raises(ConfigurationError) as caught:
            read()
        assert caught.value.problems == {f"{tmp_path / 'mine.toml'}: id": f"temple is also the id of {other}"}


def test_two_selected_profiles_with_one_id_are_refused(profiles: Profiles, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "mine.toml"
    other.parent.mkdir()
    other.write_text(changed('id = "temple"'))
    with pytest.raises(ConfigurationError, match=r"mine\.toml: id: temple is also the id of "):
        profiles.select(["temple", str(other)])


def test_profiles_are_selected_in_order_and_others_are_not_validated(
    profiles: Profiles, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(PROFILE)
    (tmp_path / "broken.toml").write_text(changed('id = "broken"', "colour = 1"))
    assert list(profiles.select(["temple", "state"])) == ["temple", "state"]
    with pytest.raises(ConfigurationError, match="colour"):
        profiles.select(["broken"])


@pytest.mark.parametrize(
    ("content", "problem"), [(b"id = ", "is not TOML"), (b"id = '\xff'", "must be UTF-8")]
)
def test_a_file_that_is_no_toml_is_named(
    profiles: Profiles, tmp_path: Path, content: bytes, problem: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=problem) as caught:
        profiles.all()
    assert list(caught.value.problems) == [str(path)]


def test_a_file_that_does_not_exist_is_named(profiles: Profiles, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"mine\.toml: cannot be read \(No such file"):
        profiles.find(str(tmp_path / "mine.toml"))


def test_every_shipped_profile_is_valid_named_for_its_id_and_on_https(tmp_path: Path) -> None:
    found = Profiles(plugins.FAMILIES, plugins.family, tmp_path).all()
    assert all(each.catalog().capabilities.absence for each in found)
    assert [each.path.name for each in found] == [f"{each.id}.toml" for each in found]
    assert {each.path for each in found} == set(SHIPPED.iterdir())
    assert all(each.options.base_url.startswith("https://") for each in found)


def test_a_written_profile_reads_back() -> None:
    keys = {"name": 'O\'Neill "State" \\ Überall', "family": "banner9"}
    assert tomllib.loads(profile_text(keys)) == keys
