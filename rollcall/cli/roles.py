"""Commands that run the roles."""

from __future__ import annotations

import sys

import click

from rollcall.cli.main import overrides, setting_options

_serving = setting_options("HOST", "PORT", "PUBLIC_URL")


@click.command()
@_serving
def up(**options: str | None) -> None:
    """Run every role in the foreground, with an embedded Valkey unless REDIS_URL is set."""
    from rollcall import up as everything  # noqa: PLC0415 - each role imports its own

    sys.exit(everything.run(overrides(options)))


@click.command()
@_serving
def web(**options: str | None) -> None:
    """Serve the HTTP interface."""
    from rollcall.roles import web as serving  # noqa: PLC0415

    serving.run(overrides(options))


@click.command()
@click.option("--queues", envvar="WORKER_QUEUES", show_envvar=True, help="Only these, by commas.")
@click.option(
    "--processes",
    default=1,
    type=click.IntRange(1, 64),
    envvar="WORKER_PROCESSES",
    show_envvar=True,
    show_default=True,
    help="Worker processes under one supervisor.",
)
@click.option(
    "--threads",
    default=4,
    type=click.IntRange(1, 256),
    envvar="WORKER_THREADS",
    show_envvar=True,
    show_default=True,
    help="Messages at once in each process.",
)
def worker(queues: str | None, processes: int, threads: int) -> None:
    """Carry out messages; with `--queues realtime` or `batch`, durable jobs, as `rollcall jobs` does."""
    names = _names(queues)
    if names and set(names) <= {"realtime", "batch"}:
        from rollcall.roles import jobs as carrying_out  # noqa: PLC0415

        carrying_out.run(names)
        return
    if processes > 1:
        from rollcall.supervisor import run_workers  # noqa: PLC0415

        sys.exit(run_workers(processes, threads, names))
    from rollcall.roles import worker as working  # noqa: PLC0415

    working.run(names, threads)


@click.command()
@click.option("--queues", envvar="JOB_QUEUES", show_envvar=True, help="realtime or batch; both by default.")
def jobs(queues: str | None) -> None:
    """Carry out durable jobs."""
    from rollcall.roles import jobs as working  # noqa: PLC0415

    working.run(_names(queues))


@click.command()
def scheduler() -> None:
    """Publish timed checks, and what a lost message left pending."""
    from rollcall.roles import scheduler as scheduling  # noqa: PLC0415

    scheduling.run()


@click.command()
def valkey() -> None:
    """Serve the embedded Valkey, for roles that run one by one without REDIS_URL."""
    from rollcall import embedded_valkey, environment  # noqa: PLC0415
    from rollcall.home import open_home  # noqa: PLC0415

    embedded_valkey.serve(open_home(environment.load()).home)


def _names(listed: str | None) -> list[str]:
    return [name.strip() for name in (listed or "").split(",") if name.strip()]
