"""The schedule: timed checks, and the ticks of the reaper and the reconciler. It only publishes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from actors.services import Services
from actors.submission import submit
from actors.triggers import trigger_run
from domain.history import day_of
from domain.section import Stagger
from scheduling.crontab import CrontabTrigger

TICK = timedelta(seconds=2)
DEMO_PERIOD = timedelta(seconds=15)
EVERY_MINUTE = CrontabTrigger("* * * * *")  # a crontab expression names no finer time


class Schedule:
    """One process' schedule. Two of them do no harm: a slot has one run, whoever asks for it first."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._asked: dict[Stagger, datetime] = {}
        # However late it is (the machine slept), what was due is done, and once.
        self._scheduler = BackgroundScheduler(
            timezone="UTC", job_defaults={"coalesce": True, "misfire_grace_time": None}
        )

    def check_on_time(self, looks: BaseTrigger = EVERY_MINUTE) -> None:
        """Check each half when it is due.

        A look now, and at each of `looks`, asks for the run of the half's latest slot until it has one: what
        passed while nobody was up, the machine slept or the database was busy is made good at the next look.
        Slots before the latest are not.
        """
        for stagger in (Stagger.EVEN, Stagger.ODD):
            self._scheduler.add_job(self.check, looks, args=[stagger], id=f"check-{stagger}")
            self._scheduler.add_job(self.check, args=[stagger], id=f"catch-up-{stagger}")

    def check(self, stagger: Stagger) -> None:
        """Ask for the latest slot's run, unless this process has: a look at nothing new costs no query."""
        slot = self._services.timetable.slot(stagger, self._services.clock.now())
        if self._asked.get(stagger) != slot:
            run, _ = trigger_run(self._services, "schedule", stagger, force=False)
            self._asked[stagger] = run.slot

    def check_demo(self) -> None:
        """Check the demo campus all the time: its seats move within the minute."""
        self.every(DEMO_PERIOD, self._check_everything, name="demo")

    def condense_history(self, trigger: CrontabTrigger) -> None:
        """Have each day's history condensed in the night after it, or as soon as somebody is up."""
        self._scheduler.add_job(condense_history, trigger, args=[self._services], id="condense")
        self._scheduler.add_job(condense_history, args=[self._services], id="catch-up-condense")

    def every(self, period: timedelta, work: Callable[[], Any], *, name: str) -> None:
        """Do `work` once each `period`; a tick that takes longer is not overtaken by the next."""
        self._scheduler.add_job(work, "interval", seconds=period.total_seconds(), id=name)

    def start(self) -> None:
        """Start the schedule's thread."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop; a job that is running ends first."""
        self._scheduler.shutdown()

    def _check_everything(self) -> None:
        trigger_run(self._services, "demo", Stagger.ALL, force=True)


def condense_history(services: Services) -> None:
    """Ask for the job that condenses the history, once a day."""
    day = day_of(services.clock.now())
    submit(services, "condense", {}, idempotency_key=f"condense/{day}")
