"""The invariants of every world."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from domain.notification_policy import GONE_AGAIN
from domain.run import Run, RunState
from store.refusals import OPTED_OUT
from tests.simulation import attempts, journal
from tests.simulation.journal import Commit
from tests.simulation.oracle import Oracle, follow

if TYPE_CHECKING:
    from tests.simulation.world import World

_FINAL = {"finished", "skipped", "failed"}
_MISSES = 3


def problems(world: World, last: Run | None) -> list[str]:
    """Every violated invariant of a quiescent world."""
    commits = journal.read(world.environment.raw)
    oracle, found = follow(commits)
    found += _states(commits)
    found += _observations(commits)
    found += _fences(commits)
    found += attempts.problems(world, commits)
    found += _retirements(world, commits)
    found += _opt_outs(world, commits)
    found += _runs(world)
    found += _messages(world, oracle)
    found += _gone(world, oracle)
    found += [] if last is None else _last_run(world, last)
    return found


def _states(commits: list[Commit]) -> Iterator[str]:
    """Revisions only rise, episodes are consecutive, what is final stays."""
    for commit in commits:
        for section, before, after, *counts, _, _, _ in commit.of("sections"):
            if after < before:
                yield f"{commit.at_ms}: section {section} went back from {before} to {after}"
            if any(new - old not in (0, 1) for old, new in zip(counts[::2], counts[1::2], strict=True)):
                yield f"{commit.at_ms}: section {section} left an episode out: {counts}"
        for number, before, after, *_ in commit.of("runs"):
            if before in _FINAL and after != before:
                yield f"{commit.at_ms}: run {number} went from {before} to {after}"


def _observations(commits: list[Commit]) -> Iterator[str]:
    """What was seen later is never replaced by what was seen earlier; no reserved seat is open."""
    newest_ms: dict[int, int] = defaultdict(int)
    unreserved: dict[int, int | None] = {}
    for commit in commits:
        for section, *_, unreserved[section], seen_ms, _ in commit.of("sections"):
            if int(seen_ms or 0) < newest_ms[section]:
                yield f"{commit.at_ms}: section {section} went back in time to {seen_ms}"
            newest_ms[section] = int(seen_ms or 0)
        for section, seats, _ in commit.of("section_history"):
            most = unreserved.get(section)
            if most is not None and seats > most:
                yield f"{commit.at_ms}: section {section} has {seats} seats, of {most} unreserved"


def _fences(commits: list[Commit]) -> Iterator[str]:
    """A dispatcher whose lease has passed to another starts nothing."""
    newest = 0
    for commit in commits:
        for number, before, after, *_ in commit.of("runs"):
            if before == "queued" and after in ("running", "finished") and commit.fence is not None:
                if commit.fence < newest:
                    stale = f"{commit.fence} < {newest}"
                    yield f"{commit.at_ms}: run {number} was started under the fence {stale}"
                newest = max(newest, commit.fence)


def _retirements(world: World, commits: list[Commit]) -> Iterator[str]:
    """A section retires after its source has reported it missing at least three times.

    Reports from the time after its whole term was removed do not count: they show the end of the term.
    """
    numbers = dict(world.environment.rows("SELECT id, number FROM sections"))
    for commit in commits:
        for facts in commit.of("sections"):
            number, before, after = numbers[facts[0]], facts[7], facts[8]
            if after > before:
                misses = world.catalog.misses(number, commit.at_ms)
                if misses < _MISSES * after:
                    yield f"{commit.at_ms}: section {number} retired after {misses} misses of its own"


def _runs(world: World) -> Iterator[str]:
    """Every run ends, its counts add up, and nothing of it is left."""
    columns = "number, state, reason, sections, checked, failed, deferred, finished_at_ms"
    rows = world.environment.rows(f"SELECT {columns} FROM runs")  # noqa: S608 - constant columns
    for number, state, reason, sections, *counts, finished in rows:
        if state not in _FINAL or finished is None or (state != "finished" and not reason):
            yield f"run {number} is {state}, for {reason}"
        if sections != sum(counts):
            yield f"run {number} has {sections} sections, but {counts}"
    for table, condition in (("check_batches", "true"), ("mail_batches", "state = 'sending'")):
        left = world.environment.rows(f"SELECT * FROM {table} WHERE {condition}")  # noqa: S608
        if left:
            yield f"{table} still holds {left}"


def _opt_outs(world: World, commits: list[Commit]) -> Iterator[str]:
    """A user who has stopped all mail gets none, and has no active watch, until they allow mail again."""
    emails = dict(world.environment.rows("SELECT id, email FROM watches"))
    stopped: set[str] = set()
    for commit in commits:
        for email, is_stopped in commit.of("opt_outs"):
            (stopped.add if is_stopped else stopped.discard)(email)
        for watch_id, *_, ended_at_ms in commit.of("watches"):
            if ended_at_ms is None and emails[watch_id] in stopped:
                yield f"{commit.at_ms}: watch {watch_id} is active, and its person has opted out"
        for _, watch_id, *_, state in commit.of("watch_notifications"):
            if state == "sending" and emails[watch_id] in stopped:
                yield f"{commit.at_ms}: watch {watch_id} is mailed, and its person has opted out"


_NOTIFICATIONS = """
SELECT n.watch_id, n.kind, n.episode, n.state, n.reason, w.email, w.ended_at_ms, s.number,
  (SELECT max(episode) FROM watch_notifications o WHERE o.watch_id = n.watch_id AND o.kind = n.kind),
  (SELECT count(*) FROM suppressions p WHERE p.email = w.email),
  (SELECT count(*) FROM sim_journal j WHERE j.name = 'opt_outs' AND json_extract(j.facts, '$[0]') = w.email)
FROM watch_notifications n JOIN watches w ON w.id = n.watch_id JOIN sections s ON s.id = w.section_id
"""


def _messages(world: World, oracle: Oracle) -> Iterator[str]:
    """By the provider's log: each expected notification was sent once, and no other."""
    book, expected = world.provider.book, oracle.expected
    taken = Counter((entry.watch_id, entry.kind, entry.episode) for entry in book if entry.is_accepted)
    refused = {(entry.watch_id, entry.kind, entry.episode) for entry in book if not entry.is_accepted}
    addresses = {(entry.watch_id, entry.to, entry.number) for entry in book}
    rows = world.environment.rows(_NOTIFICATIONS)
    for one, count in taken.items():
        if count > 1:
            yield f"{one} was mailed {count} times"
        if one not in expected:
            yield f"{one} was mailed for no change"
    if {row[:3] for row in rows} != expected:
        yield f"there are notifications of {sorted({row[:3] for row in rows} ^ expected)} too many or too few"
    if not addresses <= {(row[0], row[5], row[7]) for row in rows}:
        yield f"messages went to {addresses}"
    for row in rows:
        one = row[:3]
        if not _is_settled(row, taken[one], is_refused=one in refused, world=world):
            yield f"{one} is {row[3]} for {row[4]!r}, and was mailed {taken[one]} times"


def _gone(world: World, oracle: Oracle) -> Iterator[str]:
    """A notification that was withdrawn for lack of seats is sent once its opening has enough again."""
    for row in world.environment.rows(_NOTIFICATIONS):
        if row[4] == GONE_AGAIN and oracle.is_news_again(row[:3]):
            yield f"{row[:3]} was withdrawn, and not revived by its own opening"


def _is_settled(row: tuple[Any, ...], mailed: int, *, is_refused: bool, world: World) -> bool:
    _, _, episode, state, reason, _, ended_at_ms, _, newest, suppressions, opt_outs = row
    match state:
        case "sent" | "delivered" | "bounced" | "complained":
            return mailed == 1
        case "dead":
            is_unsent = is_refused or reason.startswith("crashed its worker")
            is_unknown = "unknown whether" in reason and not (mailed and _was_heard(world))
            return (is_unsent and mailed == 0) or is_unknown
        case "suppressed":
            cooldown = bool(world.cooldown)
            excuses = {
                "the watch has ended": ended_at_ms is not None,
                "mail to the address is suppressed": suppressions > 0,
                OPTED_OUT: opt_outs > 0,
                "superseded by a newer change": cooldown and newest > episode,
                "the seats were gone again": True,  # `_gone` looks whether they were
                "a seat was open again": True,
                "the instructor was removed again": True,
                "the section was": True,
                f"the address has had its {world.daily_cap} mails": world.daily_cap > 0,
            }
            return mailed == 0 and any(reason.startswith(text) and is_so for text, is_so in excuses.items())
    return False


def _was_heard(world: World) -> bool:
    """Whether every answer of the provider reached somebody who lived to write it down."""
    ends = ("crashed", "paused for", "interrupted", "is away for")
    return world.provider.lost_answers == 0 and not any(
        end in line for line in world.scheduler.log for end in ends
    )


def _last_run(world: World, run: Run) -> Iterator[str]:
    """After the faults nothing is skipped: every watched section is checked, and known as it is."""
    if run.state is not RunState.FINISHED or run.deferred or run.failed:
        yield f"after the faults: {run}"
    query = """
        SELECT number, open_seats FROM sections s WHERE NOT retired AND misses = 0
        AND EXISTS (SELECT 1 FROM watches w WHERE w.section_id = s.id AND w.ended_at_ms IS NULL)
    """
    truth = {key.number: section for key, section in world.catalog.truth.items()}
    for number, open_seats in world.environment.rows(query):
        real = truth[number].open_seats
        if not truth[number].exists or (real is not None and open_seats != max(0, real)):
            yield f"after the faults {number} is known with {open_seats} seats, and is {truth[number]}"
