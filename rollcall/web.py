"""The web role: uvicorn serves the ingress on one socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from threading import Event

import uvicorn

from ingress.app import create_app
from ingress.console.live_updates import LiveUpdates
from resilience.heartbeats import ADDRESS
from rollcall import systemd
from rollcall.connections import BoundedProtocol, allow_descriptors
from rollcall.health import Health
from rollcall.listening import listen
from rollcall.lookout import standing_in
from rollcall.process import configuring, role, stopping
from rollcall.surfaces import surfaces

STOP_SECONDS = 15
_FIRST_REQUEST_SECONDS = 0.2


def run(overrides: Mapping[str, str] | None = None) -> None:
    """Serve until SIGTERM, then finish the requests in hand."""
    allow_descriptors()
    with stopping() as stopped, role("web", overrides) as system, standing_in(system):
        listening = systemd.inherited_socket() or listen(system.settings.host, system.settings.port)
        system.pulse.note(ADDRESS, _address(listening))
        with configuring():
            served = surfaces(system, Health(system))
        app = create_app(served)
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
            proxy_headers=False,  # `ingress.clients` believes the proxy alone, and not every local process
            callback_notify=_alive,
            timeout_notify=int(systemd.ALIVE_SECONDS),
        )
        _Server(config, stopped, app.state.live).run(sockets=[listening])


def _address(listening: socket.socket) -> str:
    """Where it listens, as host:port; an empty text for a socket without a port."""
    name = listening.getsockname()
    return f"{name[0]}:{name[1]}" if isinstance(name, tuple) else ""


class _Server(uvicorn.Server):
    """Tells systemd when it serves, and drops no request when it stops."""

    def __init__(self, config: uvicorn.Config, stopped: Event, live: LiveUpdates) -> None:
        super().__init__(config)
        self._stopped = stopped
        self._live = live

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop; uvicorn by itself would not hear of a signal that came before it ran."""
        return await super().on_tick(counter) or self._stopped.is_set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        systemd.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections; those that were just taken may still ask before they are closed."""
        for listening in sockets or ():
            asyncio.get_running_loop().remove_reader(listening)
        await asyncio.sleep(_FIRST_REQUEST_SECONDS)
        self._live.close()  # its streams end only when told
        await super().shutdown(sockets)


async def _alive() -> None:
    systemd.alive()
