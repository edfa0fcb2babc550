"""The repositories of one database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from store.alerts import Alerts
from store.audit import Audit
from store.catalogs.answers import Answers
from store.catalogs.drills import Drills
from store.catalogs.polls import Polls
from store.catalogs.terms import CatalogTerms
from store.check_plans import CheckPlans
from store.clock_bounds import ClockBounds
from store.course_watches import CourseWatches
from store.credits import CreditLedger
from store.database import Database
from store.dead_mail import DeadMails
from store.ended_sessions import EndedSessions
from store.jobs.callbacks import JobCallbacks
from store.jobs.jobs import Jobs
from store.jobs.waits import JobWaits
from store.notifications.deliveries import Deliveries
from store.notifications.outbox import Outbox
from store.opt_outs import OptOuts
from store.pauses import Pauses
from store.payments import Payments
from store.refunds import Refunds
from store.runs.batches import Batches
from store.runs.runs import Runs
from store.runs.waits import Waits
from store.sections.search import Search
from store.sections.states import Sections
from store.statistics import Statistics
from store.terms import Terms
from store.timeline import Timelines
from store.uploads import Uploads
from store.upstreams import Upstreams
from store.watches import Watches


@dataclass(frozen=True, slots=True)
class Store:
    """The repositories of one database."""

    sections: Sections
    watches: Watches
    course_watches: CourseWatches
    runs: Runs
    batches: Batches
    check_plans: CheckPlans
    polls: Polls
    answers: Answers
    waits: Waits
    upstreams: Upstreams
    clock_bounds: ClockBounds
    outbox: Outbox
    deliveries: Deliveries
    dead_mail: DeadMails
    opt_outs: OptOuts
    terms: Terms
    catalog_terms: CatalogTerms
    drills: Drills
    alerts: Alerts
    pauses: Pauses
    audit: Audit
    statistics: Statistics
    search: Search
    timelines: Timelines
    jobs: Jobs
    job_callbacks: JobCallbacks
    job_waits: JobWaits
    payments: Payments
    refunds: Refunds
    ended_sessions: EndedSessions
    credits: CreditLedger
    uploads: Uploads


def open_store(database: Database, cooldown: timedelta, daily_cap: int, channels: Sequence[str]) -> Store:
    """Return the repositories of `database`.

    Shape: `cooldown` is the least time between two notifications of a kind, `daily_cap` the limit of mails to
    one address in 24 hours (0: none), `channels` are the channels of alert notifications.
    """
    return Store(
        sections=Sections(database),
        watches=Watches(database),
        course_watches=CourseWatches(database),
        runs=Runs(database),
        batches=Batches(database, cooldown=cooldown),
        check_plans=CheckPlans(database),
        polls=Polls(database),
        answers=Answers(database, cooldown=cooldown),
        waits=Waits(database),
        upstreams=Upstreams(database),
        clock_bounds=ClockBounds(database, cooldown=cooldown),
        outbox=Outbox(database, daily_cap=daily_cap),
        deliveries=Deliveries(database),
        dead_mail=DeadMails(database),
        opt_outs=OptOuts(database),
        terms=Terms(database),
        catalog_terms=CatalogTerms(database),
        drills=Drills(database),
        alerts=Alerts(database, channels),
        pauses=Pauses(database),
        audit=Audit(database),
        statistics=Statistics(database),
        search=Search(database),
        timelines=Timelines(database),
        jobs=Jobs(database),
        job_callbacks=JobCallbacks(database),
        job_waits=JobWaits(database),
        payments=Payments(database),
        refunds=Refunds(database),
        ended_sessions=EndedSessions(database),
        credits=CreditLedger(database),
        uploads=Uploads(database),
    )
