"""The checks of `rollcall doctor`: those of the running system, and probes that only make sense on demand.

A probe of the same name replaces a check that can only say that its server fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Any

from sqlalchemy.exc import DBAPIError

from domain.check import Check, Finding, Result, healthy, unhealthy
from domain.errors import ConfigurationError, InvalidInputError, TransientError, UnreachableError
from domain.plugin import Plugin, ProbeContext
from domain.section import SectionKey, Stagger
from ingress import doctor_probes as ingress
from notifications.messages import Renderer, dry_run
from notifications.unsubscribe_links import UnsubscribeLinks
from observability.checks import CHECKS
from observability.checks.evaluation import examine
from observability.checks.host import is_managed, start_command
from observability.checks.snapshot import SystemSnapshot
from operations import status
from providers.clamd import Clamd
from resilience import doctor_probes as servers
from resilience.heartbeats import Heartbeats
from rollcall import brokers, doctor_probes, environment, plugins
from rollcall.catalog_probe import probe_catalog
from rollcall.catalog_profiles import named_profiles, open_reader
from rollcall.embedded_valkey import socket_path
from rollcall.home import GENERATED, kept_secrets
from rollcall.settings import Settings, read
from rollcall.wiring import HEARTBEAT_TTL_SECONDS, SystemClock, build, database_url, redis_client
from store import doctor_probes as database
from store.database import Database
from store.sections.states import Sections

_PUBLIC_URL_SECONDS, _STATE_SECONDS = 40.0, 30.0
_CATALOG_SECONDS = 32.0
_PUBLIC_CATALOG_SECONDS = 120.0  # five requests of 2 s each, and turns of the processes that poll


@dataclass(frozen=True, slots=True)
class InspectedSettings:
    """Settings, invalid ones at their defaults; `problems` has the error of each of these.

    `is_managed` is whether systemd starts the roles here.
    """

    settings: Settings
    problems: Mapping[str, str] = field(default_factory=dict)
    is_managed: bool = False

    def start(self, role: str) -> str:
        """Return the command that starts `role`."""
        return start_command(role, managed=self.is_managed)


def load() -> InspectedSettings:
    """Load the settings of this process' environment, without side effects."""
    try:
        given = environment.values()
        settings, problems = read(given)
        problems = problems | environment.typos_in_file(given) | _profile_problems(settings)
    except InvalidInputError as error:
        settings, problems = read({})[0], error.problems
    return InspectedSettings(replace(settings, home=settings.home.absolute()), problems, is_managed())


def _profile_problems(settings: Settings) -> dict[str, str]:
    """Describe an unknown or invalid profile of CATALOGS."""
    try:
        if settings.catalogs:
            named_profiles(settings)
    except ConfigurationError as error:
        found = "; ".join(f"{place} {problem}" for place, problem in error.problems.items())
        return {"CATALOGS": f"cannot be used: {found}"}
    return {}


def findings(case: InspectedSettings) -> list[Finding]:
    """Return the findings of every probe and check, in order."""
    probes = [*_of_settings(case), *_of_home(case), *_of_servers(case), *_of_plugins(case), *_of_web(case)]
    replaced = {each.name for each in probes}
    checks = [each for each in _of_state(case) if each.name not in replaced]
    return examine([*probes, *checks], None)


def _probe(
    name: str, read: Callable[[], Result], command: str, *needs: str, limit_seconds: float = 10.0
) -> Check[None]:
    """Return a check of one subject; needs in capitals are settings, which must be valid."""
    named = tuple(f"settings.{need}" if need.isupper() else need for need in needs)
    return Check(name, lambda _: [read()], command=command, needs=named, limit_seconds=limit_seconds)


def _of_settings(case: InspectedSettings) -> Iterator[Check[None]]:
    settings, readable = case.settings, "make .env readable for the user that runs Rollcall"
    for name, problem in case.problems.items():
        yield _probe(f"settings.{name}", partial(unhealthy, f"{name} {problem}", f"correct {name}"), "")
    if not case.problems:
        yield _probe("settings", partial(healthy, "every setting is valid"), "")
    yield _probe("dotenv", doctor_probes.probe_dotenv, readable)
    yield _probe("settings.unknown", doctor_probes.probe_unknown, readable)
    of_settings: Sequence[tuple[str, Callable[[Settings], Result], tuple[str, ...]]] = (
        ("public-url", doctor_probes.probe_public_url, ("PUBLIC_URL",)),
        ("proxy", doctor_probes.probe_proxy, ("PROXY_SECRET", "PUBLIC_URL")),
        ("report-prices", doctor_probes.probe_report_prices, ("REPORT_PRICES",)),
        ("operator", doctor_probes.probe_operator, ("OPERATOR_EMAIL", "OPERATOR_WEBHOOK_URL")),
        ("heartbeat", doctor_probes.probe_heartbeat, ("HEARTBEAT_URL",)),
    )
    for name, read_, needs in of_settings:
        yield _probe(name, partial(read_, settings), f"correct {needs[0]}", *needs)


def _of_home(case: InspectedSettings) -> Iterator[Check[None]]:
    settings = case.settings
    yield _probe(
        "home", lambda: doctor_probes.probe_home(settings.home), "correct ROLLCALL_HOME", "ROLLCALL_HOME"
    )
    yield _probe(
        "home.secrets",
        lambda: doctor_probes.probe_secrets(settings),
        "rollcall init",
        "ROLLCALL_HOME",
        "home",
    )


def _of_servers(case: InspectedSettings) -> Iterator[Check[None]]:
    settings, url = case.settings, database_url(case.settings)
    needs = ("DATABASE_URL", "ROLLCALL_HOME")
    yield _probe("database", lambda: database.probe_server(url), "correct DATABASE_URL", *needs)
    yield _probe(
        "database.migrations", lambda: database.probe_migrations(url), "rollcall init", *needs, "database"
    )
    yield _probe(
        "database.integrity", lambda: database.probe_integrity(url), "rollcall doctor", *needs, "database"
    )
    needs, connect = ("REDIS_URL", "ROLLCALL_HOME"), lambda: redis_client(settings)
    place, start = _redis_server(case)
    yield _probe("redis", lambda: servers.probe_redis(connect, place, start), "correct REDIS_URL", *needs)
    info = "let this user run INFO on Redis"
    yield _probe("redis.persistence", lambda: servers.probe_persistence(connect), info, *needs, "redis")
    own = () if settings.broker_url else (*needs, "redis")
    yield _probe("broker", lambda: _broker(settings), "correct BROKER_URL", "BROKER_URL", *own)
    if settings.clamd_socket is not None:
        scanner = partial(_scanner, settings.clamd_socket)
        yield _probe("scanner", scanner, "start clamd, or correct CLAMD_SOCKET", "CLAMD_SOCKET")


def _redis_server(case: InspectedSettings) -> tuple[str, str]:
    """Return the address of Redis, and the command that starts it."""
    if case.settings.redis_url is None:
        return str(socket_path(case.settings.home)), case.start("valkey")
    place = servers.place_of(case.settings.redis_url)
    return place, f"start the server at {place}, or correct REDIS_URL"


def _broker(settings: Settings) -> Result:
    url = settings.broker_url
    if url is None:
        return healthy("it is Redis")
    place = servers.place_of(url)
    start = f"start the server at {place}, or correct BROKER_URL"
    if brokers.is_rabbitmq(settings):
        return servers.probe_rabbitmq(url, start)
    return servers.probe_redis(lambda: brokers.redis_client(url), place, start)


def _scanner(address: str) -> Result:
    try:
        return healthy(Clamd(address).version())
    except TransientError as error:
        return unhealthy(str(error), "start clamd, or correct CLAMD_SOCKET")


def _of_plugins(case: InspectedSettings) -> Iterator[Check[None]]:
    """Probes of the mail provider and the catalogs."""
    settings, transport = case.settings, case.settings.transport_plugin
    sender = ProbeContext(SystemClock(), settings.notification_from_email)
    yield _probe(
        "mail.login", lambda: transport.examine(settings, sender), "make the provider reachable from here",
        "MAIL_TRANSPORT", "NOTIFICATION_FROM_EMAIL", *_names(transport),
    )  # fmt: skip
    yield _probe(
        "mail.dry-run", lambda: _rendering(settings), "correct NOTIFICATION_FROM_EMAIL or ENROL_URL",
        "NOTIFICATION_FROM_EMAIL", "ENROL_URL", "PUBLIC_URL", "HOST", "PORT",
    )  # fmt: skip
    invalid = [plugin for plugin in plugins.CATALOGS if plugin.key in case.problems]
    for plugin in [*invalid, *settings.source_plugins]:
        examine_ = partial(_catalog, settings, plugin)
        command = f"correct {plugin.key}" if plugin.key else "rollcall doctor"
        name, seconds = f"source.{plugin.name}", _CATALOG_SECONDS
        yield _probe(name, examine_, command, *_names(plugin), limit_seconds=seconds)
    for name in () if "CATALOGS" in case.problems else settings.catalogs or ():
        examine_, command = partial(_public_catalog, settings, name), f"rollcall catalog test {name}"
        yield _probe(f"catalog.{name}", examine_, command, "CATALOGS", limit_seconds=_PUBLIC_CATALOG_SECONDS)


def _public_catalog(settings: Settings, name: str) -> Result:
    return probe_catalog(open_reader(settings, name))


def _names(plugin: Plugin[Any, Any, Any]) -> list[str]:
    return [declared.name for declared in plugin.settings.declared().values()]


def _catalog(settings: Settings, plugin: plugins.CatalogPlugin) -> Result:
    section = _watched(settings, plugin.name)
    return plugin.examine(settings, ProbeContext(SystemClock(), settings.notification_from_email, section))


def _rendering(settings: Settings) -> Result:
    links = UnsubscribeLinks(settings.base_url, "signs a message that is never sent")
    renderer = Renderer(settings.notification_from_email, links, settings.enrol_url, settings.timezone)
    size = dry_run(renderer, SystemClock().now())
    return healthy(f"a message of {size} bytes can be rendered")


def _watched(settings: Settings, catalog: str) -> SectionKey | None:
    """Return a watched section of `catalog`; None if there is none or the database is unreadable."""
    opened = Database(database.read_only(database_url(settings)))
    try:
        return next(iter(Sections(opened).due(Stagger.ALL, [catalog], SystemClock().now())), None)
    except DBAPIError:
        return None
    finally:
        opened.close()


def _of_web(case: InspectedSettings) -> Iterator[Check[None]]:
    url, start = case.settings.public_url, case.start("web")
    yield _probe("web", lambda: _web(case), start, "HOST", "PORT")

    def public() -> Result:
        if url is None:
            return healthy("PUBLIC_URL is not set")
        return ingress.probe_public_url(url, managed=case.is_managed, start=start)

    name = "public-url.reachable"
    yield _probe(name, public, "correct PUBLIC_URL", "PUBLIC_URL", limit_seconds=_PUBLIC_URL_SECONDS)


def _web(case: InspectedSettings) -> Result:
    """Probe the address that the web role reports: this shell's settings may differ from its own."""
    configured = f"{case.settings.host}:{case.settings.port}"
    address = _listening(case.settings) or configured
    found = ingress.probe_web(address, case.start("web"))
    if found.failure is not None or address == configured:
        return found
    return healthy(f"{found.note} (the settings here say {configured})")


def _listening(settings: Settings) -> str | None:
    """Return where a live web process listens, or None."""
    try:
        with redis_client(settings) as client:
            return Heartbeats(client, HEARTBEAT_TTL_SECONDS).web_address()
    except UnreachableError:
        return None


def _of_state(case: InspectedSettings) -> Iterator[Check[None]]:
    """The checks of the running system, over one snapshot that the first of them reads."""
    snapshot = _Once(lambda: _read(case))
    every = tuple(f"settings.{name}" for name in case.problems)
    for check in CHECKS:
        schema = ("database.migrations",) if "database" in check.needs else ()
        needs = (*every, "home", "home.secrets", *check.needs, *schema)
        on_demand: Check[Any] = check
        read_ = partial(_over, check, snapshot)
        yield replace(on_demand, read=read_, needs=needs, limit_seconds=_STATE_SECONDS)


def _over(check: Check[SystemSnapshot], snapshot: Callable[[], SystemSnapshot], _: None) -> Sequence[Result]:
    return list(check.read(snapshot()))


class _Once:
    """Reads the snapshot when first called; other threads wait for it."""

    def __init__(self, read: Callable[[], SystemSnapshot]) -> None:
        self._read, self._lock = read, Lock()
        self._found: SystemSnapshot | None = None

    def __call__(self) -> SystemSnapshot:
        with self._lock:
            self._found = self._read() if self._found is None else self._found
            return self._found


def _read(case: InspectedSettings) -> SystemSnapshot:
    """Read a snapshot of the installation; its database is opened read-only."""
    settings = case.settings
    kept = kept_secrets(settings.home)
    secrets: dict[str, Any] = {
        name: kept.get(name.upper()) for name in GENERATED if getattr(settings, name) is None
    }
    url = database.read_only(database_url(settings))
    system = build(replace(settings, database_url=url, **secrets))
    try:
        return replace(status.read(system.admin), is_managed=case.is_managed)
    finally:
        system.close()
