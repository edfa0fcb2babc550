"""The web role: uvicorn serves the HTTP application on one listening socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from functools import partial
from threading import Event

import uvicorn

from actors import ACTORS, QUEUES
from ingress import admission
from ingress.app import create_app
from ingress.console import sign_in
from ingress.console.live_updates import LiveUpdates
from ingress.context import WebContext
from notifications.resend import ResendSettings
from notifications.resend_events import ResendEvents
from observability.gauges import Labels
from observability.health import Health
from observability.prometheus import Exposition, fleet
from observability.shared_reading import SharedReading
from operations import status
from operations.uploads import MEBIBYTE, UploadPorts
from providers.clamd import Clamd
from providers.storage import StorageSettings
from providers.stripe import StripeSettings
from providers.stripe_events import StripeEvents
from resilience.heartbeats import ADDRESS
from resilience.login_protection import LoginLimiter
from rollcall import systemd
from rollcall.alerting import fallback_alert_evaluation
from rollcall.connections import BoundedProtocol
from rollcall.process import configuring, role, stopping
from rollcall.sockets import allow_descriptors, inherited_socket, listen
from rollcall.wiring import System, has_own_broker, required

_SIGN_INS, _SIGN_INS_OVERALL, _SIGN_IN_WINDOW_SECONDS = 10, 100, 900


def health(system: System) -> Health:
    """Return the answers of `/readyz` and `/health` about `system`."""
    admin = system.admin
    needed = ("database", "redis", "broker") if has_own_broker(system.settings) else ("database", "redis")
    probes = {name: admin.probes[name] for name in needed}
    return Health(partial(status.read, admin), probes, system.services.store.jobs)


def metrics(system: System) -> Exposition:
    """Return the metrics of the fleet of `system`."""
    services = system.services
    labels = Labels(
        actors=[spec.name for spec in ACTORS],
        queues=QUEUES,
        sources=services.source_names,
        breakers=tuple(services.breakers),
        roles=status.ROLES,
        job_kinds=tuple(services.jobs.kinds),
        request_classes=admission.NAMES,
    )
    snapshot = partial(status.read, system.admin)
    store, counts = services.store, system.heartbeat.metrics.read
    return Exposition(fleet(snapshot, counts, store.outbox.counts, store.jobs, labels))


def web_context(system: System, health: Health) -> WebContext:
    """Return what requests may use of `system`."""
    settings = system.settings
    secret = settings.of(ResendSettings).webhook_secret
    report = SharedReading(health.report, limit_seconds=8.0, fresh_seconds=3.0)
    storage = settings.of(StorageSettings).open(settings.home)
    return WebContext(
        services=system.services,
        storage=storage,
        uploads=UploadPorts(
            storage,
            None if settings.clamd_socket is None else Clamd(settings.clamd_socket),
            is_scan_required=settings.scan_required == "1",
            limit_bytes=settings.import_max_mb * MEBIBYTE,
        ),
        admin=system.admin,
        links=system.links,
        events=None if secret is None else ResendEvents(secret, system.services.clock),
        payment_events=_payment_events(settings.of(StripeSettings).webhook_secret),
        cron_secret=required(settings.cron_secret),
        api_token=required(settings.api_token),
        public_url=settings.base_url,
        default_source=system.services.source_names[0],
        environment=settings.environment,
        sign_ins=LoginLimiter(
            system.redis,
            "sign-in",
            each=_SIGN_INS,
            overall=_SIGN_INS_OVERALL,
            window_seconds=_SIGN_IN_WINDOW_SECONDS,
        ),
        invitations=sign_in.tickets(system.redis),
        health=report.new,
        latest_health=report.latest,
        ready=health.ready,
        metrics=metrics(system),
        proxy_secret=settings.proxy_secret,
    )


def _payment_events(secret: str | None) -> StripeEvents | None:
    return None if secret is None else StripeEvents(secret)


STOP_SECONDS = 15
_FIRST_REQUEST_SECONDS = 0.2


def run(overrides: Mapping[str, str] | None = None) -> None:
    """Serve until SIGTERM, then finish the requests in progress."""
    allow_descriptors()
    with stopping() as stopped, role("web", overrides) as system, fallback_alert_evaluation(system):
        listening = inherited_socket() or listen(system.settings.host, system.settings.port)
        system.heartbeat.set_fact(ADDRESS, _address(listening))
        with configuring():
            context = web_context(system, health(system))
        app = create_app(context)
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
            proxy_headers=False,  # `ingress.clients` trusts the proxy alone, not every local process
            callback_notify=_alive,
            timeout_notify=int(systemd.ALIVE_SECONDS),
        )
        _Server(config, stopped, app.state.live).run(sockets=[listening])


def _address(listening: socket.socket) -> str:
    """Return host:port of the socket; empty for a socket without a port."""
    name = listening.getsockname()
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else ""


class _Server(uvicorn.Server):
    """Notifies systemd when it serves, and drops no request when it stops."""

    def __init__(self, config: uvicorn.Config, stopped: Event, live: LiveUpdates) -> None:
        super().__init__(config)
        self._stopped = stopped
        self._live = live

    async def on_tick(self, counter: int) -> bool:
        """Return whether to stop; uvicorn alone would miss a signal that arrived before it ran."""
        return await super().on_tick(counter) or self._stopped.is_set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        systemd.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no new connections; recently accepted ones may still send a request before they close."""
        for listening in sockets or ():
            asyncio.get_running_loop().remove_reader(listening)
        await asyncio.sleep(_FIRST_REQUEST_SECONDS)
        self._live.close()  # event streams do not end by themselves
        await super().shutdown(sockets)


async def _alive() -> None:
    systemd.alive()
