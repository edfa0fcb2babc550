from __future__ import annotations

import re
from pathlib import Path


def test_the_first_example_of_the_breaker_runs() -> None:
    text = (Path(__file__).parents[2] / "docs" / "breaker.md").read_text()
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert example
    names: dict[str, object] = {}
    exec(example[1], names)  # noqa: S102 - our own example
    assert getattr(names["breaker"], "current_state") == "closed"  # noqa: B009 - `names` is untyped
