"""Generation through the engine's own steps: whatever fails, and wherever the process dies."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInputError
from domain.job import JobState
from domain.money import Balance
from providers.gemini import MAX_ASSET_BYTES
from store import migrate
from store.database import Database
from tests.standins.gemini import GeminiStandIn, blocked, busy, error, picture, png, stopped
from tests.standins.server import Answer
from tests.support.house import sqlite_url
from tests.support.studio import MOMENTS, CrashError, Studio
from workflows.generation import MAX_PROMPT, read

_MEBIBYTE = 1024 * 1024
_PASSING = st.sampled_from(
    [busy("5s"), error(500, "INTERNAL", "An internal error has occurred."), None, Answer(200, b'{"cand')]
)
_FINAL = st.sampled_from([blocked(), stopped("IMAGE_SAFETY"), error(400, "INVALID_ARGUMENT", "No.")])
_DEEDS = st.dictionaries(
    st.sampled_from([*MOMENTS, "refund:before", "refund:unkept", "refund:kept"]),
    st.sampled_from(["crash", "cancel", "cancel and crash"]),
    max_size=5,
)


@pytest.fixture(scope="module")
def standin() -> Iterator[GeminiStandIn]:
    with GeminiStandIn() as running:
        yield running


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated")
    database = Database(sqlite_url(folder))
    migrate.upgrade(database)
    database.close()
    return folder / "rollcall.db"


@contextmanager
def open_studio(
    migrated: Path, folder: Path, client: redis.Redis, standin: GeminiStandIn
) -> Iterator[Studio]:
    """A studio of its own, with a provider that has forgotten all that it was told."""
    folder.mkdir(exist_ok=True)
    shutil.copy(migrated, folder / "rollcall.db")
    standin.answers.clear()
    standin.requests.clear()
    standin.is_down = False
    database = Database(sqlite_url(folder))
    try:
        yield Studio(database, client, f"test-{uuid4().hex[:12]}", folder / "storage", standin)
    finally:
        database.close()


@pytest.fixture
def studio(
    migrated: Path, tmp_path: Path, redis_client: redis.Redis, standin: GeminiStandIn
) -> Iterator[Studio]:
    with open_studio(migrated, tmp_path, redis_client, standin) as found:
        found.grant(1)
        yield found


def at(studio: Studio, job_id: str, deeds: dict[str, str]) -> None:
    """Do each of `deeds` the first time that the job comes to its moment."""
    left = dict(deeds)

    def act(moment: str) -> None:
        deed = left.pop(moment, "")
        if "cancel" in deed:
            studio.jobs.request_cancel(job_id, studio.clock.now())
        if "crash" in deed:
            raise CrashError

    studio.engine.hooks[job_id].crash = act


def test_a_picture_is_made_of_an_asset_for_one_credit(studio: Studio) -> None:
    studio.storage.put("assets/owl.png", png(9), "image/png")
    job = studio.finish(studio.order(asset="assets/owl.png"))
    assert (job.state, job.progress.message) == (JobState.SUCCEEDED, "done")
    assert [step.name for step in job.steps] == ["reserve", "fetch", "make", "store", "capture"]
    assert job.result == {
        "artifact": f"jobs/{job.id}/picture.png",
        "content_type": "image/png",
        "bytes": len(png()),
        "credits": 1,
    }
    ((said, shown),) = [content["parts"] for content in studio.gemini.requests[0]["contents"]]
    assert (said, shown["inlineData"]["mimeType"]) == ({"text": "an owl at dawn"}, "image/png")
    studio.require_fair(job.id)


@pytest.mark.parametrize("deed", ["crash", "cancel", "cancel and crash"])
def test_at_whichever_moment_it_happens_the_account_is_treated_fairly(studio: Studio, deed: str) -> None:
    ids = []
    for moment in MOMENTS:
        studio.grant(1)
        ids.append(studio.order())
        at(studio, ids[-1], {moment: deed})
        job = studio.finish(ids[-1])
        # Once the credit is captured, to cancel comes too late, though a crash comes with it.
        is_delivered = deed == "crash" or moment in {"capture:unkept", "capture:kept"}
        assert job.state is (JobState.SUCCEEDED if is_delivered else JobState.CANCELLED), moment
        studio.require_fair(*ids)


@pytest.mark.parametrize(("moment", "asked"), [("make:kept", 2), ("store:unkept", 1), ("store:kept", 1)])
def test_a_picture_is_made_again_only_where_a_crash_took_it_away(
    studio: Studio, moment: str, asked: int
) -> None:
    job_id = studio.order()
    at(studio, job_id, {moment: "crash"})
    assert studio.finish(job_id).state is JobState.SUCCEEDED
    assert len(studio.gemini.requests) == asked
    studio.require_fair(job_id)


def test_a_capture_is_not_overtaken_by_a_crash_with_a_cancellation(studio: Studio) -> None:
    job_id = studio.order()
    at(studio, job_id, {"capture:unkept": "cancel and crash"})
    assert studio.finish(job_id).state is JobState.SUCCEEDED
    purposes = [transfer.entry_type.value for transfer in studio.ledger.page("ada", None, 10)[0]]
    assert purposes == ["capture", "reserve", "grant"]
    assert studio.balance() == Balance(spent=1)


def test_a_job_that_waits_for_its_turn_is_cancelled_without_a_trace_in_the_ledger(studio: Studio) -> None:
    job_id = studio.order()
    studio.jobs.request_cancel(job_id, studio.clock.now())
    assert studio.finish(job_id).state is JobState.CANCELLED
    assert [transfer.entry_type.value for transfer in studio.ledger.page("ada", None, 10)[0]] == ["grant"]


def test_a_job_that_waits_for_its_provider_is_cancelled(studio: Studio) -> None:
    studio.gemini.answers += [busy("60s")]
    job_id = studio.order()
    studio.engine.on_pause = lambda: studio.jobs.request_cancel(job_id, studio.clock.now())
    assert studio.finish(job_id).state is JobState.CANCELLED
    studio.require_fair(job_id)


@dataclass(frozen=True)
class Plan:
    """What befalls a job: deeds at moments, what the provider answers, which waits end in a crash."""

    deeds: dict[str, str]
    passing: list[Answer | None]
    final: Answer | None
    crashing_pauses: set[int]
    granted: int


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plan=st.builds(
        Plan,
        _DEEDS,
        st.lists(_PASSING, max_size=4),
        st.none() | _FINAL,
        st.sets(st.integers(1, 12), max_size=4),
        st.integers(0, 2),
    )
)
def test_credits_in_are_captured_refunded_held_or_there_whatever_happens(
    migrated: Path, tmp_path: Path, redis_client: redis.Redis, standin: GeminiStandIn, plan: Plan
) -> None:
    with open_studio(migrated, tmp_path / uuid4().hex, redis_client, standin) as studio:
        if plan.granted:
            studio.grant(plan.granted)
        standin.answers += [*plan.passing, *([] if plan.final is None else [plan.final])]
        pauses = count(1)

        def pause() -> None:
            found = studio.balance()
            assert found.available + found.held + found.spent == studio.granted
            if next(pauses) in plan.crashing_pauses:
                raise CrashError

        studio.engine.on_pause = pause
        job_id = studio.order()
        at(studio, job_id, plan.deeds)
        job = studio.finish(job_id)
        studio.require_fair(job_id)
        assert plan.granted or job.state is not JobState.SUCCEEDED


def test_the_credit_of_a_job_that_this_release_cannot_read_comes_back(studio: Studio) -> None:
    job_id = studio.order(style="of another release")
    studio.ledger.reserve("ada", job_id, 1, studio.clock.now())
    job = studio.finish(job_id)
    assert (job.state, job.error) == (JobState.FAILED, "style: is not a known field")
    studio.require_fair(job_id)


def test_without_a_credit_nothing_is_held_and_no_one_is_asked(studio: Studio) -> None:
    first, second = studio.order(), studio.order()
    assert studio.finish(first).state is JobState.SUCCEEDED
    job = studio.finish(second)
    assert (job.state, job.error) == (JobState.FAILED, "not enough credits: it takes 1, 0 available")
    assert len(studio.gemini.requests) == 1
    studio.require_fair(first, second)


def test_a_provider_that_is_unavailable_for_longer_than_its_breaker_is_waited_for(studio: Studio) -> None:
    studio.gemini.is_down = True
    began, states = studio.clock.now(), set()
    job_id = studio.order()

    def pause() -> None:
        states.add(studio.look(job_id).state)
        if (studio.clock.now() - began).total_seconds() > 200:
            studio.gemini.is_down = False

    studio.engine.on_pause = pause
    job = studio.finish(job_id)
    assert (job.state, states) == (JobState.SUCCEEDED, {JobState.WAITING})
    assert len(studio.gemini.requests) <= 6
    studio.require_fair(job_id)


def test_a_provider_that_does_not_come_back_fails_the_job_and_the_credit_comes_back(studio: Studio) -> None:
    studio.gemini.is_down = True
    job = studio.finish(studio.order())
    assert (job.state, job.error) == (
        JobState.FAILED,
        "Gemini: 503 The model is overloaded. Please try again later.",
    )
    assert len(studio.gemini.requests) == 8
    studio.require_fair(job.id)


def test_a_refused_prompt_fails_at_once_and_is_not_held_against_the_provider(studio: Studio) -> None:
    studio.grant(4)
    for _ in range(4):
        studio.gemini.answers.append(blocked())
        job = studio.finish(studio.order())
        assert (job.state, job.error) == (
            JobState.FAILED,
            "Gemini refuses the prompt (PROHIBITED_CONTENT)",
        )
        studio.require_fair(job.id)
    assert studio.breaker.snapshot().state == "closed"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A real quota: the kernel refuses to let any file of this process grow beyond `size` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


BIG = png() + bytes(9 * _MEBIBYTE)


def test_a_full_storage_fails_the_job_with_its_reason_and_the_credit_comes_back(studio: Studio) -> None:
    studio.gemini.answers.append(picture(BIG))
    with largest_file(8 * _MEBIBYTE):
        job = studio.finish(studio.order())
    assert (job.state, job.error) == (
        JobState.FAILED,
        "the storage folder cannot be used (File too large)",
    )
    assert (studio.stored(job.id), len(studio.gemini.requests)) == ([], 1)
    assert studio.breaker.snapshot().failures == 0
    studio.require_fair(job.id)


def test_when_there_is_room_again_the_picture_that_was_made_is_stored(studio: Studio) -> None:
    studio.gemini.answers.append(picture(BIG))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    studio.engine.on_pause = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with largest_file(8 * _MEBIBYTE):
        job = studio.finish(studio.order())
    assert (job.state, len(studio.gemini.requests)) == (JobState.SUCCEEDED, 1)
    assert studio.storage.get(f"jobs/{job.id}/picture.png") == BIG
    studio.require_fair(job.id)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is not in the storage"),
        (b"%PDF-1.7", "cannot be used: the file is not a PNG, JPEG or WebP image"),
        (png() + bytes(MAX_ASSET_BYTES), "is larger than 10 MiB"),
    ],
)
def test_an_asset_that_cannot_be_used_fails_the_job_and_says_why(
    studio: Studio, content: bytes | None, reason: str
) -> None:
    if content is not None:
        studio.storage.put("assets/a", content, "image/png")
    job = studio.finish(studio.order(asset="assets/a"))
    assert (job.state, job.error) == (JobState.FAILED, f"the asset assets/a {reason}")
    assert studio.gemini.requests == []
    studio.require_fair(job.id)


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        ({}, {"account", "prompt"}),
        ({"account": "a b"}, {"account"}),
        ({"account": "../x"}, {"account"}),
        ({"account": 7}, {"account"}),
        ({"prompt": " \n"}, {"prompt"}),
        ({"prompt": "x" * (MAX_PROMPT + 1)}, {"prompt"}),
        ({"prompt": "an owl\x00"}, {"prompt"}),
        ({"prompt": "\ud800"}, {"prompt"}),
        ({"prompt": ["an owl"]}, {"prompt"}),
        ({"asset": ""}, {"asset"}),
        ({"asset": "../secrets/API_TOKEN"}, {"asset"}),
        ({"asset": "/etc/passwd"}, {"asset"}),
        ({"asset": "assets/../../x"}, {"asset"}),
        ({"asset": "data:image/png;base64,iVBORw0KGgo="}, {"asset"}),
        ({"asset": "https://example.edu/owl.png"}, {"asset"}),
        ({"asset": "a" * 2000}, {"asset"}),
        ({"asset": {"key": "a"}}, {"asset"}),
        ({"colour": "green"}, {"colour"}),
    ],
)
def test_bad_input_names_its_fields(given: dict[str, Any], fields: set[str]) -> None:
    sound = {"account": "ada", "prompt": "an owl"} if given else {}
    with pytest.raises(InvalidInputError) as refused:
        read(sound | given)
    assert refused.value.problems.keys() == fields
