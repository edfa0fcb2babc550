"""The registry of plug-ins: one line for each catalog, family of public catalogs, channel and provider.

A plug-in module declares its settings and builds its client (docs/develop.md). The first enabled transport is
used; of the other lists, every enabled plug-in.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from catalogs import demo_campus, scraper
from domain.alert import AlertNotification
from domain.plugin import ChannelPorts, Plugin, Ports
from domain.ports import Mailer, Source
from domain.setting import SettingsGroup
from notifications import operator_mail, operator_webhook, postmark, preview, resend, smtp
from providers import docraptor, gemini, stripe
from providers.storage import StorageSettings

if TYPE_CHECKING:
    from catalogs.family import Family

CatalogPlugin: TypeAlias = Plugin[Any, Ports, Source]
TransportPlugin: TypeAlias = Plugin[Any, Ports, Mailer]
ChannelPlugin: TypeAlias = Plugin[Any, ChannelPorts, Callable[[AlertNotification], None]]

CATALOGS: tuple[CatalogPlugin, ...] = (
    scraper.PLUGIN,
    demo_campus.PLUGIN,
)
TRANSPORTS: tuple[TransportPlugin, ...] = (
    resend.PLUGIN,
    postmark.PLUGIN,
    smtp.PLUGIN,
    preview.PLUGIN,
)
OPERATOR_CHANNELS: tuple[ChannelPlugin, ...] = (
    operator_mail.PLUGIN,
    operator_webhook.PLUGIN,
)
PROVIDERS: tuple[Plugin[Any, Ports, Any], ...] = (
    stripe.PLUGIN,
    docraptor.PLUGIN,
    gemini.PLUGIN,
)
DEAD_MANS_SWITCH = operator_webhook.DEAD_MANS_SWITCH

PLUGINS: tuple[Plugin[Any, Any, Any], ...] = (
    *CATALOGS,
    *TRANSPORTS,
    *OPERATOR_CHANNELS,
    DEAD_MANS_SWITCH,
    *PROVIDERS,
)
FAMILIES = ("banner9", "fose", "rutgers", "testudo", "hcx", "colleague", "asu")
"""The families of public catalogs; each is a module of `catalogs` with its FAMILY."""
GROUPS: tuple[type[SettingsGroup], ...] = tuple(
    dict.fromkeys([*(plugin.settings for plugin in PLUGINS), StorageSettings])
)


def family(name: str) -> Family[Any]:
    """The family `name` of `FAMILIES`, which is imported only now: a process imports those that it uses."""
    found: Family[Any] = import_module(f"catalogs.{name}").FAMILY
    return found
