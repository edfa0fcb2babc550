"""The scheduler role: timed checks, the reaper, the reconciler and the evaluation of alerts.

Without a configured catalog it seeds watches on the demo campus, so that mail arrives.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors import QUEUES
from actors.poll import publish_due_polls
from actors.reconcile import CLOCK_CHECK_PERIOD, bound_stored_times, reconcile
from catalogs.demo_campus import DemoCampus
from domain.watch import Watch
from resilience.heartbeats import TICKED_AT
from rollcall import alerting, systemd, upstreams
from rollcall.heartbeat import log_and_continue
from rollcall.process import role, stopping
from rollcall.wiring import System
from scheduling.runner import TICK, Schedule
from scheduling.timetable import CrontabTrigger

STUDENTS = ("ada@example.edu", "grace@example.edu", "alan@example.edu")


def seed_demo_watches(system: System) -> None:
    """Create a watch for every demo section, once: a stopped watch is not created again."""
    watches = system.services.store.watches
    if not system.settings.is_demo or watches.any():
        return
    wanted = [Watch(STUDENTS[i % len(STUDENTS)], key) for i, key in enumerate(DemoCampus.sections())]
    watches.add_all(wanted, system.services.clock.now())


def run(overrides: Mapping[str, str] | None = None) -> None:
    """Publish due work until SIGTERM; `SCHEDULER=off` disables only the timed checks."""
    with stopping() as stopped, role("scheduler", overrides) as system:
        seed_demo_watches(system)
        upstreams.adopt(system)
        schedule = Schedule(system.services)
        schedule.every(
            TICK, lambda: log_and_continue(lambda: _tick(system), "cannot reconcile"), name="reconcile"
        )
        schedule.every(CLOCK_CHECK_PERIOD, lambda: bound_stored_times(system.services), name="bounds")
        admin = system.admin
        schedule.every(alerting.PERIOD, lambda: alerting.evaluate_alerts(admin), name="alerts")
        schedule.run_daily_rollup(CrontabTrigger(system.settings.report_aggregate_cron))
        if system.settings.scheduler == "on" and system.services.catalogs:
            schedule.drill_catalogs()
        if system.settings.scheduler == "on" and system.services.sources:
            if system.services.is_budgeted:
                schedule.check_by_budget()
            else:
                schedule.check_on_time()
            if system.settings.is_demo:
                schedule.check_demo()
        schedule.start()
        systemd.wait(stopped)
        schedule.stop()


def _tick(system: System) -> None:
    """Release what dead workers held, publish due and lost work, and store the tick's time."""
    depths: dict[str, int | None] = dict.fromkeys(QUEUES)
    if system.reaper is not None:
        depths |= system.reaper.sweep()
    reconcile(system.services, depths)
    if system.settings.scheduler == "on":
        publish_due_polls(system.services, depths)
    system.heartbeat.set_fact(TICKED_AT, str(system.services.clock.now().timestamp()))
