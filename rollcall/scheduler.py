"""The scheduler role: timed checks, the reaper, the reconciler and the lookout."""

from __future__ import annotations

from collections.abc import Mapping

from actors import QUEUES, clock
from actors.reconcile import reconcile
from resilience.heartbeats import TICKED_AT
from rollcall import demo, lookout, systemd, upstreams
from rollcall.control import control_room
from rollcall.process import role, stopping
from rollcall.quiet import log_and_continue
from rollcall.wiring import System
from scheduling.crontab import CrontabTrigger
from scheduling.runner import TICK, Schedule


def run(overrides: Mapping[str, str] | None = None) -> None:
    """Publish what is due until SIGTERM; `SCHEDULER=off` stops the timed checks alone."""
    with stopping() as stopped, role("scheduler", overrides) as system:
        demo.seed_demo_watches(system)
        upstreams.adopt(system)
        schedule = Schedule(system.services)
        schedule.every(
            TICK, lambda: log_and_continue(lambda: _tick(system), "cannot reconcile"), name="reconcile"
        )
        schedule.every(clock.PERIOD, lambda: clock.bound_stored_times(system.services), name="bounds")
        room = control_room(system)
        schedule.every(lookout.PERIOD, lambda: lookout.evaluate_alerts(room), name="look")
        schedule.condense_history(CrontabTrigger(system.settings.report_aggregate_cron))
        if system.settings.scheduler == "on":
            schedule.check_on_time()
            if system.is_demo:
                schedule.check_demo()
        schedule.start()
        systemd.wait(stopped)
        schedule.stop()


def _tick(system: System) -> None:
    """Give back what dead workers held, publish what is due or lost, and tell that it was done."""
    depths: dict[str, int | None] = dict.fromkeys(QUEUES)
    if system.reaper is not None:
        depths |= system.reaper.sweep()
    reconcile(system.services, depths)
    system.pulse.note(TICKED_AT, str(system.services.clock.now().timestamp()))
