"""Prints figures as an aligned table or as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping

Figure = float | str | dict[str, float]
Report = Mapping[str, Figure]


def show(report: Report, *, as_json: bool) -> None:
    """Print `report`: its keys are snake_case names that end in their unit."""
    if as_json:
        print(json.dumps(report))
        return
    width = max(len(name) for name in report) + 2
    for name, figure in report.items():
        print(f"{name.replace('_', ' '):<{width}}{_text(figure)}")


def _text(figure: Figure) -> str:
    match figure:
        case dict():
            return ", ".join(f"{name} {_text(part)}" for name, part in sorted(figure.items()))
        case float():
            return f"{figure:,.3f}" if abs(figure) < 1 else f"{figure:,.1f}"
        case int():
            return f"{figure:,}"
        case _:
            return figure
