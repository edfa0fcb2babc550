from __future__ import annotations

from collections import Counter

import pytest

from domain.plugin import enabled
from domain.setting import Setting
from rollcall import plugins
from rollcall.settings import DECLARED, GROUPS, parse

SCRAPER = {"SCRAPER_URL": "http://127.0.0.1:1", "SCRAPER_SECRET_TOKEN": "token"}
SENDER = {"NOTIFICATION_FROM_EMAIL": "a@example.edu"}


def test_no_setting_is_declared_twice() -> None:
    names = Counter(each.name for group in GROUPS for each in group.declared().values())
    assert set(names.values()) == {1}


@pytest.mark.parametrize("plugin", [each for each in plugins.PLUGINS if each.key], ids=lambda each: each.key)
def test_a_plug_in_is_enabled_by_a_setting_of_its_own(plugin: plugins.CatalogPlugin) -> None:
    assert plugin.key in {each.name for each in plugin.settings.declared().values()}


@pytest.mark.parametrize("registry", [plugins.CATALOGS, plugins.TRANSPORTS])
def test_a_list_that_must_not_be_empty_has_one_fallback(registry: tuple[plugins.CatalogPlugin, ...]) -> None:
    assert len([each for each in registry if not each.key]) == 1


@pytest.mark.parametrize(
    ("values", "catalogs"),
    [
        ({}, ["campus"]),
        (SCRAPER, ["scraper"]),
        ({"CATALOGS": "temple"}, []),
        (SCRAPER | {"CATALOGS": "temple, ./mine.toml"}, ["scraper"]),
    ],
)
def test_the_demo_campus_is_checked_only_without_a_catalog(
    values: dict[str, str], catalogs: list[str]
) -> None:
    settings = parse(values)
    assert [each.name for each in settings.source_plugins] == catalogs
    assert settings.is_demo == (catalogs == ["campus"])


@pytest.mark.parametrize("name", plugins.FAMILIES)
def test_a_family_is_named_for_its_module(name: str) -> None:
    assert plugins.family(name).name == name


def test_every_enabled_operator_channel_is_used_and_the_first_enabled_transport() -> None:
    values = {"OPERATOR_EMAIL": "a@example.edu", "OPERATOR_WEBHOOK_URL": "https://example.edu"}
    keys = {"SMTP_URL": "smtp://127.0.0.1", "POSTMARK_SERVER_TOKEN": "token"}
    settings = parse(values | keys | SENDER)
    assert [each.name for each in enabled(plugins.OPERATOR_CHANNELS, settings)] == ["mail", "webhook"]
    assert settings.transport == "postmark"


@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED)
def test_what_looks_like_a_secret_is_declared_as_one(declared: Setting) -> None:
    words = declared.name.split("_")
    assert declared.is_secret or not {"SECRET", "TOKEN", "KEY"}.intersection(words)
