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
from tests.support.generation import MOMENTS, CrashError, GenerationHarness
from tests.support.harness import sqlite_url
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
) -> Iterator[GenerationHarness]:
    """A separate harness, with a reset provider."""
    folder.mkdir(exist_ok=True)
    shutil.copy(migrated, folder / "rollcall.db")
    standin.answers.clear()
    standin.requests.clear()
    standin.is_down = False
    database = Database(sqlite_url(folder))
    try:
        yield GenerationHarness(database, client, f"test-{uuid4().hex[:12]}", folder / "storage", standin)
    finally:
        database.close()


@pytest.fixture
def harness(
    migrated: Path, tmp_path: Path, redis_client: redis.Redis, standin: GeminiStandIn
) -> Iterator[GenerationHarness]:
    with open_studio(migrated, tmp_path, redis_client, standin) as found:
        found.grant(1)
        yield found


def at(harness: GenerationHarness, job_id: str, deeds: dict[str, str]) -> None:
    """Do each of `deeds` the first time that the job comes to its moment."""
    left = dict(deeds)

    def act(moment: str) -> None:
        deed = left.pop(moment, "")
        if "cancel" in deed:
            harness.jobs.request_cancel(job_id, harness.clock.now())
        if "crash" in deed:
            raise CrashError

    harness.engine.hooks[job_id].crash = act


def test_a_picture_is_made_of_an_asset_for_one_credit(harness: GenerationHarness) -> None:
    harness.storage.put("assets/owl.png", png(9), "image/png")
    job = harness.finish(harness.order(asset="assets/owl.png"))
    assert (job.state, job.progress.message) == (JobState.SUCCEEDED, "done")
    assert [step.name for step in job.steps] == ["reserve", "fetch", "make", "store", "capture"]
    assert job.result == {
        "artifact": f"jobs/{job.id}/picture.png",
        "content_type": "image/png",
        "bytes": len(png()),
        "credits": 1,
    }
    ((said, shown),) = [content["parts"] for content in harness.gemini.requests[0]["contents"]]
    assert (said, shown["inlineData"]["mimeType"]) == ({"text": "an owl at dawn"}, "image/png")
    harness.assert_credits_balance(job.id)


@pytest.mark.parametrize("deed", ["crash", "cancel", "cancel and crash"])
def test_at_whichever_moment_it_happens_the_account_is_treated_fairly(
    harness: GenerationHarness, deed: str
) -> None:
    ids = []
    for moment in MOMENTS:
        harness.grant(1)
        ids.append(harness.order())
        at(harness, ids[-1], {moment: deed})
        job = harness.finish(ids[-1])
        # Once the credit is captured, to cancel comes too late, though a crash comes with it.
        is_delivered = deed == "crash" or moment in {"capture:unkept", "capture:kept"}
        assert job.state is (JobState.SUCCEEDED if is_delivered else JobState.CANCELLED), moment
        harness.assert_credits_balance(*ids)


@pytest.mark.parametrize(("moment", "asked"), [("make:kept", 2), ("store:unkept", 1), ("store:kept", 1)])
def test_a_picture_is_made_again_only_where_a_crash_took_it_away(
    harness: GenerationHarness, moment: str, asked: int
) -> None:
    job_id = harness.order()
    at(harness, job_id, {moment: "crash"})
    assert harness.finish(job_id).state is JobState.SUCCEEDED
    assert len(harness.gemini.requests) == asked
    harness.assert_credits_balance(job_id)


def test_a_capture_is_not_overtaken_by_a_crash_with_a_cancellation(harness: GenerationHarness) -> None:
    job_id = harness.order()
    at(harness, job_id, {"capture:unkept": "cancel and crash"})
    assert harness.finish(job_id).state is JobState.SUCCEEDED
    purposes = [transfer.entry_type.value for transfer in harness.ledger.page("ada", None, 10)[0]]
    assert purposes == ["capture", "reserve", "grant"]
    assert harness.balance() == Balance(spent=1)


def test_a_job_that_waits_for_its_turn_is_cancelled_without_a_trace_in_the_ledger(
    harness: GenerationHarness,
) -> None:
    job_id = harness.order()
    harness.jobs.request_cancel(job_id, harness.clock.now())
    assert harness.finish(job_id).state is JobState.CANCELLED
    assert [transfer.entry_type.value for transfer in harness.ledger.page("ada", None, 10)[0]] == ["grant"]


def test_a_job_that_waits_for_its_provider_is_cancelled(harness: GenerationHarness) -> None:
    harness.gemini.answers += [busy("60s")]
    job_id = harness.order()
    harness.engine.on_pause = lambda: harness.jobs.request_cancel(job_id, harness.clock.now())
    assert harness.finish(job_id).state is JobState.CANCELLED
    harness.assert_credits_balance(job_id)


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
    with open_studio(migrated, tmp_path / uuid4().hex, redis_client, standin) as harness:
        if plan.granted:
            harness.grant(plan.granted)
        standin.answers += [*plan.passing, *([] if plan.final is None else [plan.final])]
        pauses = count(1)

        def pause() -> None:
            found = harness.balance()
            assert found.available + found.held + found.spent == harness.granted
            if next(pauses) in plan.crashing_pauses:
                raise CrashError

        harness.engine.on_pause = pause
        job_id = harness.order()
        at(harness, job_id, plan.deeds)
        job = harness.finish(job_id)
        harness.assert_credits_balance(job_id)
        assert plan.granted or job.state is not JobState.SUCCEEDED


def test_the_credit_of_a_job_that_this_release_cannot_read_comes_back(harness: GenerationHarness) -> None:
    job_id = harness.order(style="of another release")
    harness.ledger.reserve("ada", job_id, 1, harness.clock.now())
    job = harness.finish(job_id)
    assert (job.state, job.error) == (JobState.FAILED, "style: is not a known field")
    harness.assert_credits_balance(job_id)


def test_without_a_credit_nothing_is_held_and_no_one_is_asked(harness: GenerationHarness) -> None:
    first, second = harness.order(), harness.order()
    assert harness.finish(first).state is JobState.SUCCEEDED
    job = harness.finish(second)
    assert (job.state, job.error) == (JobState.FAILED, "not enough credits: it takes 1, 0 available")
    assert len(harness.gemini.requests) == 1
    harness.assert_credits_balance(first, second)


def test_a_provider_that_is_unavailable_for_longer_than_its_breaker_is_waited_for(
    harness: GenerationHarness,
) -> None:
    harness.gemini.is_down = True
    began, states = harness.clock.now(), set()
    job_id = harness.order()

    def pause() -> None:
        states.add(harness.reload(job_id).state)
        if (harness.clock.now() - began).total_seconds() > 200:
            harness.gemini.is_down = False

    harness.engine.on_pause = pause
    job = harness.finish(job_id)
    assert (job.state, states) == (JobState.SUCCEEDED, {JobState.WAITING})
    assert len(harness.gemini.requests) <= 6
    harness.assert_credits_balance(job_id)


def test_a_provider_that_does_not_come_back_fails_the_job_and_the_credit_comes_back(
    harness: GenerationHarness,
) -> None:
    harness.gemini.is_down = True
    job = harness.finish(harness.order())
    assert (job.state, job.error) == (
        JobState.FAILED,
        "Gemini: 503 The model is overloaded. Please try again later.",
    )
    assert len(harness.gemini.requests) == 8
    harness.assert_credits_balance(job.id)


def test_a_refused_prompt_fails_at_once_and_is_not_held_against_the_provider(
    harness: GenerationHarness,
) -> None:
    harness.grant(4)
    for _ in range(4):
        harness.gemini.answers.append(blocked())
        job = harness.finish(harness.order())
        assert (job.state, job.error) == (
            JobState.FAILED,
            "Gemini refuses the prompt (PROHIBITED_CONTENT)",
        )
        harness.assert_credits_balance(job.id)
    assert harness.breaker.snapshot().state == "closed"


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


def test_a_full_storage_fails_the_job_with_its_reason_and_the_credit_comes_back(
    harness: GenerationHarness,
) -> None:
    harness.gemini.answers.append(picture(BIG))
    with largest_file(8 * _MEBIBYTE):
        job = harness.finish(harness.order())
    assert (job.state, job.error) == (
        JobState.FAILED,
        "the storage folder cannot be used (File too large)",
    )
    assert (harness.stored(job.id), len(harness.gemini.requests)) == ([], 1)
    assert harness.breaker.snapshot().failures == 0
    harness.assert_credits_balance(job.id)


def test_when_there_is_room_again_the_picture_that_was_made_is_stored(harness: GenerationHarness) -> None:
    harness.gemini.answers.append(picture(BIG))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    harness.engine.on_pause = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with largest_file(8 * _MEBIBYTE):
        job = harness.finish(harness.order())
    assert (job.state, len(harness.gemini.requests)) == (JobState.SUCCEEDED, 1)
    assert harness.storage.get(f"jobs/{job.id}/picture.png") == BIG
    harness.assert_credits_balance(job.id)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is not in the storage"),
        (b"%PDF-1.7", "cannot be used: the file is not a PNG, JPEG or WebP image"),
        (png() + bytes(MAX_ASSET_BYTES), "is larger than 10 MiB"),
    ],
)
def test_an_asset_that_cannot_be_used_fails_the_job_and_says_why(
    harness: GenerationHarness, content: bytes | None, reason: str
) -> None:
    if content is not None:
        harness.storage.put("assets/a", content, "image/png")
    job = harness.finish(harness.order(asset="assets/a"))
    assert (job.state, job.error) == (JobState.FAILED, f"the asset assets/a {reason}")
    assert harness.gemini.requests == []
    harness.assert_credits_balance(job.id)


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
