"""The commands of operator actions, generated from their declarations."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar, get_type_hints

import click
from msgspec import NODEFAULT, Struct, inspect, structs

from domain.errors import InvalidInputError
from operations.context import AdminContext
from operations.inputs import Choices, base_type, decode
from operations.operation import Command, Operation, OperationResult, Option, execute
from operations.registry import OPERATIONS
from rollcall.cli.output import show
from rollcall.process import open_system

M = TypeVar("M", bound=Struct)
T = TypeVar("T")
_JSON = click.Option(["--json", "as_json"], is_flag=True, help="Print JSON.")
_YES = click.Option(["--yes", "is_sure"], is_flag=True, help="Do not ask for confirmation.")
_DRY_RUN = click.Option(["--dry-run", "is_plan"], is_flag=True, help="Only show what would happen.")


def shell_user() -> str:
    """Return the name under which operations are recorded."""
    return getpass.getuser()


def add_operations(group: click.Group) -> None:
    """Add to `group` the command of each operation that belongs there."""
    for operation in OPERATIONS:
        for command in operation.cli_commands:
            first, *between, last = command.words.split()
            if first == group.name:
                parent: Any = group
                for name in between:
                    parent = parent.commands[name]
                parent.add_command(_command(operation, command, last))


def _command(operation: Operation[Any, Any], command: Command, name: str) -> click.Command:
    params = parameters(operation.input, without=command.fixed)
    extra = [_DRY_RUN, _YES, _JSON] if operation.is_bulk else [_JSON]
    run = _confirm if operation.is_bulk else _run
    text = "\n\n".join(filter(None, (command.summary or operation.summary, operation.help)))
    return click.Command(name, params=[*params, *extra], callback=partial(run, operation, command), help=text)


def _run(operation: Operation[Any, Any], command: Command, *, as_json: bool, **values: Any) -> None:
    with open_system() as system:
        context = system.admin
        given = _given(operation, command, context, values)
        outcome = _named(operation.input, partial(execute, operation, context, given, shell_user()))
    _print(outcome, as_json=as_json)


def _confirm(
    operation: Operation[Any, Any],
    command: Command,
    *,
    as_json: bool,
    is_sure: bool,
    is_plan: bool,
    **values: Any,
) -> None:
    """Show the plan, ask for confirmation, execute. With JSON, only the result goes to standard output."""
    with open_system() as system:
        context = system.admin
        given = _given(operation, command, context, values)
        plan = operation.plan(context, given)
        click.echo("\n".join(plan.effects), err=as_json)
        done = 0
        if plan.button and not is_plan:
            if not is_sure:
                click.confirm(plan.title, abort=True, err=as_json)
            outcome = execute(operation, context, given, shell_user())
            click.echo(outcome.message, err=as_json)
            done = outcome.count
    if as_json:
        action = operation.name.rpartition(".")[2]
        show([{"action": action, "matched": plan.count, "done": done, "dry_run": is_plan}], as_json=True)


def _given(
    operation: Operation[Any, Any], command: Command, context: AdminContext, values: Mapping[str, Any]
) -> Any:
    return read(operation.input, values, operation.choices(context), command.fixed)


def _print(outcome: OperationResult[Any], *, as_json: bool) -> None:
    click.echo(outcome.message, err=as_json)
    if as_json:
        show(outcome.rows or [{"message": outcome.message}], as_json=True)
    elif outcome.is_listed and outcome.rows:
        show(outcome.rows, as_json=False)
    if not outcome.is_success:
        raise SystemExit(1)


def parameters(model: type[Struct], without: Iterable[str] = ()) -> list[click.Parameter]:
    """Return the arguments and options that take the fields of `model`."""
    return [_parameter(model, field) for field in structs.fields(model) if field.name not in without]


def read(
    model: type[M],
    values: Mapping[str, Any],
    choices: Choices | None = None,
    fixed: Mapping[str, object] | None = None,
) -> M:
    """Return the input in the values of its parameters. Raises: InvalidInputError that names the options."""
    members = {name: _member(value) for name, value in values.items() if value not in (None, ())}
    return _named(model, lambda: decode(model, members | dict(fixed or {}), choices))


def _member(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.read() if hasattr(value, "read") else value


def _named(model: type[Struct], act: Callable[[], T]) -> T:
    try:
        return act()
    except InvalidInputError as error:
        flags = {p.name: p.opts[0] for p in parameters(model) if isinstance(p, click.Option)}
        problems = {flags.get(name, name): problem for name, problem in error.problems.items()}
        raise InvalidInputError(problems) from error


def _parameter(model: type[Struct], field: structs.FieldInfo) -> click.Parameter:
    option, node = _option(model, field.name), base_type(field.type)
    is_list = isinstance(node, inspect.VarTupleType)
    kind = _click_type(base_type(node.item_type) if isinstance(node, inspect.VarTupleType) else node)
    is_required = (field.required or option.is_required) and not is_list
    if not option.flag and (field.required or option.metavar):
        metavar = None if is_list else option.metavar or None
        return click.Argument(
            [field.name], type=kind, required=is_required, nargs=-1 if is_list else 1, metavar=metavar
        )
    flag = option.flag or f"--{field.name.replace('_', '-')}"
    is_flag = isinstance(node, inspect.BoolType)
    has_default = field.default not in (NODEFAULT, None, (), False) and not is_required
    # click takes an explicit None as the default, and then does not require the option.
    default: dict[str, Any] = {"default": str(field.default)} if has_default else {}
    return click.Option(
        [flag, field.name],
        type=None if is_flag else kind,
        required=is_required,
        is_flag=is_flag or None,  # with False, click takes an option without a default for a flag
        multiple=is_list,
        show_default=has_default,
        help=option.help,
        **default,
    )


def _option(model: type[Struct], name: str) -> Option:
    metadata = getattr(get_type_hints(model, include_extras=True)[name], "__metadata__", ())
    return next((each for each in metadata if isinstance(each, Option)), Option())


def _click_type(node: inspect.Type) -> click.ParamType[Any]:
    match node:
        case inspect.EnumType(cls=values) | inspect.LiteralType(values=values):
            return click.Choice([str(value) for value in values])
        case inspect.IntType(ge=low, le=high):
            return click.IntRange(low, high) if low is not None else click.INT
        case inspect.FloatType(gt=low):
            return click.FloatRange(low, min_open=low is not None)
        case inspect.BytesType():
            return click.File("rb")
    return click.STRING
