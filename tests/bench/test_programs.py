from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from bench.programs import ProgramError, Programs, free_port, poll
from bench.stack import clean_environment
from bench.usage import Usage, measure

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
child.wait()
"""


def start(programs: Programs, name: str, folder: Path, *command: str) -> None:
    programs.start(name, [sys.executable, *command], folder=folder, environment=clean_environment(folder))


def serve(programs: Programs, folder: Path) -> None:
    port = free_port()
    start(programs, "files", folder, "-m", "http.server", str(port), "--bind", "127.0.0.1")
    programs.wait_for("files", f"http://127.0.0.1:{port}/")


def test_a_program_is_stopped_at_the_end(tmp_path: Path) -> None:
    with Programs(tmp_path / "logs") as programs:
        serve(programs, tmp_path)
        (process,) = programs.processes("files")
    assert not process.is_running()


def test_a_program_may_be_killed_and_started_again(tmp_path: Path) -> None:
    with Programs(tmp_path / "logs") as programs:
        serve(programs, tmp_path)
        (first,) = programs.processes("files")
        programs.kill("files")
        serve(programs, tmp_path)
        (second,) = programs.processes("files")
        assert not first.is_running()
        assert second.is_running()


def test_a_program_that_ends_early_is_shown_with_the_tail_of_its_log(tmp_path: Path) -> None:
    with Programs(tmp_path / "logs") as programs:
        start(programs, "broken", tmp_path, "-c", "import sys; sys.exit('PORT must be a number')")
        with pytest.raises(ProgramError, match=r"broken ended with 1(.|\n)*PORT must be a number"):
            programs.wait_for("broken", f"http://127.0.0.1:{free_port()}/")


def test_descendants_count_as_processes_of_the_program(tmp_path: Path) -> None:
    with Programs(tmp_path / "logs") as programs:
        start(programs, "parent", tmp_path, "-u", "-c", PARENT)
        log = tmp_path / "logs" / "parent.log"
        while not log.read_text():
            assert programs.processes("parent")
        child = int(log.read_text())
        assert child in {process.pid for process in programs.processes("parent")}
        psutil.Process(child).terminate()


def test_usage_is_reported_by_role(tmp_path: Path) -> None:
    with Programs(tmp_path / "logs") as programs:
        serve(programs, tmp_path)
        usage = measure(programs.processes())
    (role,) = usage.pss_mb
    assert role.startswith("python")
    assert usage.total_pss_mb > 1
    assert usage.cpu_seconds[role] > 0


def test_cpu_time_is_the_difference_of_two_usages() -> None:
    before = Usage({"worker": 1.0, "web": 2.0}, {})
    after = Usage({"worker": 1.5, "web": 2.25, "scheduler": 0.25}, {})
    assert after.cpu_ms_since(before, "worker") == pytest.approx(500)
    assert after.cpu_ms_since(before) == pytest.approx(1000)


def test_the_first_answer_ends_the_wait() -> None:
    answers = iter([None, None, 0])
    assert poll(lambda: next(answers), seconds=10, pause_seconds=0) == 0


def test_a_condition_that_never_comes_true_is_named() -> None:
    with pytest.raises(TimeoutError, match=r"the outbox did not come true within 0 s"):
        poll(lambda: None, seconds=0, what="the outbox")
