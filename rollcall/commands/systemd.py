"""`rollcall systemd`: the units, as the installation puts them on a machine."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path

import click


@click.command()
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write them there instead of printing them.",
)
def systemd(output: Path | None) -> None:
    """Print the systemd units, or write them. What a machine needs otherwise goes into drop-ins."""
    for name, text in _units():
        if output is None:
            click.echo(f"# {name}\n{text}")
        else:
            path = output / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            click.echo(path)


def _units() -> Iterator[tuple[Path, str]]:
    with as_file(files("rollcall") / "units") as folder:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            yield path.relative_to(folder), path.read_text()
