"""The web role: uvicorn serves the ingress on one socket."""

from __future__ import annotations

from collections.abc import Mapping

import uvicorn

from ingress.app import create_app
from rollcall.health import Health
from rollcall.listening import listen
from rollcall.process import role
from rollcall.surfaces import surfaces

STOP_SECONDS = 15


def run(overrides: Mapping[str, str] | None = None) -> None:
    """Serve until SIGTERM, then finish the requests in hand."""
    with role("web", overrides) as system:
        listening = listen(system.settings.host, system.settings.port)
        config = uvicorn.Config(
            create_app(surfaces(system, Health(system))),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
            forwarded_allow_ips="127.0.0.1",
        )
        uvicorn.Server(config).run(sockets=[listening])
