"""An operator action, declared once: its input, its plan, its effect and its audit entry.

The console's form and confirmation, the command line's command and the API's endpoint follow from the
declaration. `operations.registry.OPERATIONS` lists every action.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Self, TypeVar

from msgspec import Struct

from domain.errors import InvalidInputError
from operations.context import AdminContext, Surface
from operations.inputs import Choices
from store.audit import AuditEntry

I = TypeVar("I", bound=Struct)  # noqa: E741 - the input
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class PlanField:
    """An input field that the confirmation asks for: a choice of (value, label), or text without choices."""

    name: str
    label: str
    value: str
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The effect of an operation if it were confirmed now.

    Shape: `title` is the question and `button` confirms; `effects` are sentences that state the extent,
    `count` of items. `button` is empty when there is nothing to do.
    """

    title: str
    button: str
    effects: tuple[str, ...]
    questions: tuple[PlanField, ...] = ()
    is_irreversible: bool = False
    count: int = 1

    @classmethod
    def nothing(cls, title: str, reason: str) -> Self:
        """Return the plan of an operation that has nothing to do."""
        return cls(title, "", (f"{reason} There is nothing to do.",), count=0)


@dataclass(frozen=True, slots=True)
class OperationResult(Generic[R]):
    """The result of an operation.

    Shape: `message` is a sentence for people; `value` is what the calling code gets; `rows` are what programs
    get, and people too when they are `is_listed`; `count` items were affected.
    """

    message: str
    value: R
    rows: Sequence[Mapping[str, object]] = ()
    is_listed: bool = False
    count: int = 1
    is_success: bool = True


@dataclass(frozen=True, slots=True)
class Option:
    """Metadata of an input field: its help, and how the command line takes it.

    Shape: without a `flag`, a field without default is an argument, and any other the option `--its-name`.
    `metavar` names an argument. A flag may be required though the field has a default for other surfaces.
    """

    help: str = ""
    flag: str = ""
    metavar: str = ""
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the command line: its words, the input that it fixes, and its summary if it differs."""

    words: str
    fixed: Mapping[str, object] = field(default_factory=dict)
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Operation(Generic[I, R]):
    """One operator action.

    Shape: `name` is `thing.verb`: its path in the API and, with a hyphen, in the console, its command unless
    `commands` differ, and the audit's action unless `action` differs. `plan` only reads. `run` writes the
    entry in the transaction of its effect, or records it before an effect outside the database; what changes
    nothing is not recorded. `choices` restricts fields to what this installation has. `is_bulk` asks for
    confirmation on the command line too. `surfaces` are those that offer it by this declaration alone.
    """

    name: str
    summary: str
    input: type[I]
    subject: Callable[[I], str]
    plan: Callable[[AdminContext, I], Plan]
    run: Callable[[AdminContext, I, AuditEntry], OperationResult[R]]
    choices: Callable[[AdminContext], Choices] = lambda _: {}
    detail: Callable[[I], Mapping[str, Any]] = lambda _: {}
    commands: tuple[Command, ...] = ()
    help: str = ""
    action: str = ""
    is_bulk: bool = False
    surfaces: frozenset[Surface] = frozenset(Surface)

    @property
    def console_path(self) -> str:
        """The last part of its URL in the console."""
        return self.name.replace(".", "-")

    @property
    def cli_commands(self) -> tuple[Command, ...]:
        """Its commands on the command line."""
        if Surface.CLI not in self.surfaces:
            return ()
        return self.commands or (Command(self.name.replace(".", " ")),)


class NoInput(Struct, frozen=True):
    """The input of an operation that needs none."""


def execute(operation: Operation[I, R], context: AdminContext, given: I, by: str) -> OperationResult[R]:
    """Carry out `operation` for `by`. Raises: InvalidInputError naming bad fields; what its effect raises."""
    _require_choices(operation, context, given)
    now, action = context.services.clock.now(), operation.action or operation.name
    entry = AuditEntry(now, by, action, operation.subject(given), operation.detail(given))
    return operation.run(context, given, entry)


def _require_choices(operation: Operation[I, R], context: AdminContext, given: I) -> None:
    problems = {
        name: f"must be one of {', '.join(allowed)}"
        for name, allowed in operation.choices(context).items()
        if getattr(given, name) is not None and getattr(given, name) not in allowed
    }
    if problems:
        raise InvalidInputError(problems)
