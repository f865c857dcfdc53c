"""Dataclasses out of JSON that somebody else may have written: every field checked, errors that say where.

Knows as much of types as messages and manifests use: str, int, float, bool, None, Literal, unions of these,
dataclasses, and tuples of any number of one type. No pydantic here: a recorder is forked by the hundred.
"""

import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar

Built = TypeVar("Built")


class MalformedError(ValueError):
    """What was read is not what it should be; the message says what and where."""


def build(kind: type[Built], value: object, where: str = "") -> Built:
    """A dataclass from a JSON object. Raises MalformedError for a field that is missing, unknown or of another type."""
    where = where or kind.__name__
    if not isinstance(value, Mapping):
        raise MalformedError(f"{where} is no object")
    hints = _hints(kind)  # type: ignore[arg-type]  # a class is hashable
    if stray := value.keys() - hints.keys():
        raise MalformedError(f"{where} has no field {', '.join(sorted(map(str, stray)))}")
    given = {name: _read(hints[name], part, f"{where}.{name}") for name, part in value.items()}
    try:
        return kind(**given)
    except TypeError as error:
        raise MalformedError(f"{where} is incomplete: {error}") from None


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _read(hint: Any, value: object, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise MalformedError(f"{where} is no list")
        inner = typing.get_args(hint)[0]
        return tuple(_read(inner, part, f"{where}[{index}]") for index, part in enumerate(value))
    if origin in (types.UnionType, typing.Union):
        choices = typing.get_args(hint)
        if value is None and type(None) in choices:
            return None
        return _read(next(choice for choice in choices if choice is not type(None)), value, where)
    if is_dataclass(hint):
        return build(typing.cast("type[Any]", hint), value, where)
    if not _fits(hint, origin, value):
        raise MalformedError(f"{where} can't be {value!r}"[:300])
    return float(typing.cast("float", value)) if hint is float else value


def _fits(hint: Any, origin: Any, value: object) -> bool:
    if origin is Literal:
        return value in typing.get_args(hint)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)
