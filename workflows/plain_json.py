"""How DBOS keeps values: JSON that anybody can read, and that can do nothing when it is read."""

from __future__ import annotations

import json
from typing import Any

from dbos import Serializer


class PlainJson(Serializer):
    """JSON. What a workflow should never have let out, an exception, is kept as its text."""

    def serialize(self, data: Any) -> str:
        """`data` as JSON."""
        return json.dumps(data, default=_text)

    def deserialize(self, serialized_data: str) -> Any:
        """The value that was kept; an exception comes back as one."""
        value = json.loads(serialized_data)
        is_error = isinstance(value, dict) and value.keys() == {_ERROR}
        return RuntimeError(value[_ERROR]) if is_error else value

    def name(self) -> str:
        """The name that stands beside each value."""
        return "rollcall_json"


_ERROR = "__error__"


def _text(value: object) -> dict[str, str]:
    if not isinstance(value, Exception):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return {_ERROR: f"{type(value).__name__}: {value}"}
