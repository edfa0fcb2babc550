"""Detects changed settings of catalogs and mail when a process starts, and ends waits from the old ones."""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Mapping
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from actors.services import Services
from domain.errors import UnreachableError
from domain.notification import MAIL
from domain.plugin import Plugin
from resilience.rate_limiter import RateLimiter
from rollcall.settings import Settings
from rollcall.wiring import System, required

if TYPE_CHECKING:
    from catalogs.active import ActiveCatalog

_log = logging.getLogger(__name__)


def adopt(system: System) -> None:
    """End the waits of each catalog, and of mail, whose settings changed.

    An unreachable store is logged: the waits then expire.
    """
    plugins, store = _plugins(system.settings), system.services.store.upstreams
    try:
        for name, digest in digests(system.settings, system.services.catalogs).items():
            if store.adopt(name, digest):
                if name in plugins:
                    RateLimiter(system.redis, plugins[name].name, 0).forget()
                end_waits(system.services, name)
    except (UnreachableError, DBAPIError):
        _log.warning("cannot end the waits for earlier settings", exc_info=True)


def end_waits(services: Services, name: str) -> None:
    """End every wait of a source, or of mail, whose settings have changed.

    Rollcall's own pauses and breakers opened by failures reflect the old settings. What an operator has set
    stays.
    """
    pause = services.store.pauses.find(name)
    if pause is not None:
        services.store.pauses.end_ours(pause)
    breaker = services.breakers[name]
    snapshot = breaker.snapshot()
    if snapshot.state != "closed" and snapshot.forced is None:
        breaker.reset("rollcall, for new settings")
    count = services.store.waits.resume(name)
    _log.info("resumed", extra={"upstream": name, "after": "new settings", "batches": count})


def digests(settings: Settings, catalogs: Mapping[str, ActiveCatalog]) -> Mapping[str, str]:
    """Return the settings of each catalog and of mail as a keyed digest: the database stores no secret."""
    key = required(settings.unsubscribe_secret).encode()
    identities = {name: _identity(name, plugin, settings) for name, plugin in _plugins(settings).items()}
    identities |= {name: catalog.profile.identity for name, catalog in catalogs.items()}
    return {
        name: hmac.new(key, repr(identity).encode(), hashlib.sha256).hexdigest()
        for name, identity in identities.items()
    }


def _plugins(settings: Settings) -> dict[str, Plugin[Any, Any, Any]]:
    return {plugin.name: plugin for plugin in settings.source_plugins} | {MAIL: settings.transport_plugin}


def _identity(name: str, plugin: Plugin[Any, Any, Any], settings: Settings) -> tuple[object, ...]:
    sender = settings.notification_from_email if name == MAIL else None
    return plugin.name, sender, *astuple(settings.of(plugin.settings))
