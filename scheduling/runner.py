"""The schedule: timed checks, and the ticks of the reaper and the reconciler. It only publishes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from actors.catalog_drill import publish_due_drills
from actors.check_plan import available_sources, is_check_due
from actors.dispatch import trigger_run
from actors.jobs import submit
from actors.services import Services
from domain.history import day_of
from domain.run import RunState
from domain.section import Stagger
from scheduling.ticker import Ticker
from scheduling.timetable import CrontabTrigger

TICK = timedelta(seconds=2)
DEMO_PERIOD = timedelta(seconds=15)
ONCE_A_DAY = CrontabTrigger("41 4 * * *")
EVERY_MINUTE = CrontabTrigger("* * * * *")  # the resolution of a crontab expression


class Schedule:
    """The schedule of one process. Two are harmless: a slot has one run, for the first that asks."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._asked: dict[Stagger, datetime] = {}
        self._worked: dict[Stagger, datetime] = {}
        self._tickers: list[Ticker] = []
        # However late (the machine was suspended), a due job runs, and once.
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None}
        )

    def check_on_time(self, attempts: BaseTrigger = EVERY_MINUTE) -> None:
        """Check each half when it is due.

        Now, and at each time of `attempts`, it requests the run of the half's latest slot until one has
        succeeded. So the next attempt catches up after a suspended machine, a busy database, or an outage of
        workers or sources. It does not catch up earlier slots.
        """
        for stagger in (Stagger.EVEN, Stagger.ODD):
            self._scheduler.add_job(self.check, attempts, args=[stagger], id=f"check-{stagger}")
            self._scheduler.add_job(self.check, args=[stagger], id=f"catch-up-{stagger}")

    def check(self, stagger: Stagger) -> None:
        """Request a run of the latest slot unless one is in progress or has succeeded.

        A run that could check nothing releases its slot; the next starts when a source is available again.
        After a successful run, an attempt costs no query.
        """
        services, now = self._services, self._services.clock.now()
        slot = services.timetable.slot(stagger, now)
        if self._worked.get(stagger) == slot:
            return
        run = services.store.runs.of_slot(stagger, slot)
        if run is not None and run.state is RunState.FINISHED:
            self._worked[stagger] = slot
        elif run is None and (self._asked.get(stagger) != slot or available_sources(services, now)):
            run, _ = trigger_run(services, "schedule", stagger, force=False)
            self._asked[stagger] = run.slot

    def check_by_budget(self, attempts: BaseTrigger = EVERY_MINUTE) -> None:
        """Check the sections that the check schedule chooses: now, and at each time of `attempts`."""
        self._scheduler.add_job(self.check_due, attempts, id="check-due")
        self._scheduler.add_job(self.check_due, id="catch-up-due")

    def check_due(self) -> None:
        """Request a run if a check is due; while none is, that costs two queries."""
        if is_check_due(self._services, self._services.clock.now()):
            trigger_run(self._services, "schedule", None, force=False)

    def check_demo(self) -> None:
        """Check the demo campus continuously: its seats change every minute."""
        self.every(DEMO_PERIOD, self._check_everything, name="demo")

    def run_daily_rollup(self, trigger: CrontabTrigger) -> None:
        """Roll up each day's history in the following night, or as soon as a process is up."""
        self._scheduler.add_job(run_daily_rollup, trigger, args=[self._services], id="condense")
        self._scheduler.add_job(run_daily_rollup, args=[self._services], id="catch-up-condense")

    def drill_catalogs(self) -> None:
        """Follow a section of each polled catalog to a mail: once a day, or as soon as a process is up."""
        self._scheduler.add_job(publish_due_drills, ONCE_A_DAY, args=[self._services], id="drill")
        self._scheduler.add_job(publish_due_drills, args=[self._services], id="catch-up-drill")

    def every(self, period: timedelta, work: Callable[[], Any], *, name: str) -> None:
        """Run `work` once per `period`; a long tick does not overlap the next."""
        self._tickers.append(Ticker(period, work, name))

    def start(self) -> None:
        """Start the schedule's threads."""
        self._scheduler.start()
        self.every(TICK, self.follow_clock, name="clock")
        for ticker in self._tickers:
            ticker.start()

    def stop(self) -> None:
        """Stop after the running job."""
        for ticker in self._tickers:
            ticker.stop()
        self._scheduler.shutdown()

    def follow_clock(self) -> None:
        """Bring forward jobs that are planned later than their trigger fires by the current clock.

        APScheduler computes a job's next time once. After the clock is set back, a job of every minute would
        otherwise wait as long as the clock was wrong.
        """
        now = self._services.clock.now()
        for job in self._scheduler.get_jobs():
            planned = job.trigger.get_next_fire_time(None, now)
            if planned is not None and job.next_run_time is not None and planned < job.next_run_time:
                job.modify(next_run_time=planned)

    def _check_everything(self) -> None:
        trigger_run(self._services, "demo", Stagger.ALL, force=True)


def run_daily_rollup(services: Services) -> None:
    """Submit the roll-up job, once a day."""
    day = day_of(services.clock.now())
    submit(services, "condense", {}, idempotency_key=f"condense/{day}")
