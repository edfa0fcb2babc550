"""`/console/`: the current state of polling, sending and draining, and of every part."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from starlette.responses import Response

from domain.check import Finding
from ingress.console.charts import hours_chart
from ingress.console.layout import page, render
from ingress.console.live_updates import Fragments
from ingress.console.session import HOME
from ingress.context import WebContext
from ingress.endpoint import Routes
from ingress.request import RequestContext
from observability.checks import findings
from observability.checks.evaluation import summarize
from observability.checks.snapshot import SystemSnapshot, Unavailable
from operations import status
from operations.status import Trends

TRENDS_EVERY = timedelta(seconds=30)
_FRAGMENTS = (
    "announcement",
    "verdict",
    "alerts",
    "trend",
    "runs",
    "mail",
    "sources",
    "breakers",
    "queues",
    "workers",
    "lease",
)


routes = Routes()


@routes.get("/")
def show(request: RequestContext) -> Response:
    """Show the current state."""
    services = request.services
    drawn = fragments(status.read(request.context.admin), status.read_trends(services))
    return page(request, "now.html", fragments=drawn)


def fragments(found: SystemSnapshot, going: Trends) -> Fragments:
    """Return the fragments of the page, by element id."""
    chart = None if isinstance(going.hours, Unavailable) else hours_chart(going.hours)
    judged = findings(found)
    facts = {
        "status": found,
        "verdicts": summarize(judged),
        "pending": _pending(judged, found),
        "trends": going,
        "chart": chart,
        "here": HOME,
    }
    return {name: render(f"now/{name}.html", **facts) for name in _FRAGMENTS}


def _pending(judged: Sequence[Finding], found: SystemSnapshot) -> list[Finding]:
    """Return failing checks without an alert: too recent, or not evaluated yet."""
    raised = set() if isinstance(found.alerts, Unavailable) else {alert.name for alert in found.alerts}
    return [finding for finding in judged if finding.failure is not None and finding.name not in raised]


class NowView:
    """Renders the page's fragments at each call; the expensive trends twice a minute."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._trends: tuple[datetime, Trends] | None = None

    def __call__(self) -> Fragments:
        """Return the current fragments."""
        return fragments(status.read(self._context.admin), self._going())

    def _going(self) -> Trends:
        services = self._context.services
        now = services.clock.now()
        if self._trends is None or now - self._trends[0] >= TRENDS_EVERY:
            self._trends = (now, status.read_trends(services))
        return self._trends[1]
