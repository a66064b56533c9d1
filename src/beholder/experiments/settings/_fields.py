"""Frozen dataclasses from plain JSON values and back, strict about names, types and choices."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from beholder._core.errors import InputError, UnknownNameError, find_near_names
from beholder._core.registry import Registry
from beholder._core.wording import show_value

T = TypeVar("T")


def parse_fields(cls: type[T], values: Any, what: str, group: str = "") -> T:
    """Make a dataclass of a mapping from field names to JSON values.

    Parameters
    ----------
    cls : type
        A dataclass whose fields are bool, int, float, str, ``Literal``, ``tuple[X, ...]``, ``Mapping[str, str]``,
        another such dataclass, or one of them or None. ``choices`` in a field's metadata are the texts that it can be.
    values : mapping
        A field that is left out keeps its default.
    what : str
        What the mapping is, for messages: ``"setting"``.
    group : str
        The field that it is the value of, for messages: ``"practice."``; empty at the top.

    Raises
    ------
    UnknownNameError
        A name that is no field.
    InputError
        A value of another type, or a field without default that is left out.
    """
    if not isinstance(values, Mapping):
        of, hint = "", None
        if group:
            of, hint = f" for {group.rstrip('.')!r}", f"{group}{dataclasses.fields(cls)[0].name}=…"  # type: ignore[arg-type]
        raise InputError(f"an object of {what}s{of}", got=show_value(values), hint=hint)
    kinds = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            near = [f"{group}{each}" for each in find_near_names(str(name), list(fields))]
            hint = f"one of {', '.join(f'{group}{each}' for each in fields)}"
            raise UnknownNameError(what, f"{group}{name}", near, hint=hint)
    for name, field in fields.items():
        absent = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if absent and name not in values:
            raise InputError(
                f"the {what} {group + name!r}", got=f"only {', '.join(map(str, values))}" if values else "none"
            )
    made = {}
    for name, value in values.items():
        choices = fields[name].metadata.get("choices")
        if choices is None:
            made[name] = _parse(kinds[name], value, what, group + name)
        else:
            made[name] = _parse_choice(choices, value, f"the {what} {group + name!r}")
    return cls(**made)


def to_plain(value: Any) -> Any:
    """A dataclass of :func:`parse_fields` as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [to_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {key: to_plain(value[key]) for key in value}
    return value


def _parse(kind: Any, value: Any, what: str, name: str) -> Any:
    origin, options = typing.get_origin(kind), typing.get_args(kind)
    field = f"the {what} {name!r}"
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in options:
            return None
        (kind,) = (option for option in options if option is not type(None))
        return _parse(kind, value, what, name)
    if origin is typing.Literal:
        return _parse_choice(options, value, field)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"a list for {field}", got=show_value(value))
        return tuple(_parse(options[0], each, what, name) for each in value)
    if dataclasses.is_dataclass(kind):
        return value if isinstance(value, kind) else parse_fields(kind, value, what, f"{name}.")  # type: ignore[arg-type]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping) or not all(isinstance(each, str) for pair in value.items() for each in pair):
            raise InputError(f"an object of texts for {field}", got=show_value(value))
        return types.MappingProxyType(dict(value))
    return _parse_scalar(kind, value, field)


def _parse_choice(options: Collection[Any] | Registry[Any], value: Any, field: str) -> Any:
    if value not in options:
        known = [str(option) for option in options]
        hint = " or ".join(find_near_names(str(value), known)) or None
        raise InputError(f"one of {', '.join(known)} for {field}", got=show_value(value), hint=hint)
    return value


_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def _parse_scalar(kind: type, value: Any, field: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise InputError(f"{_NAMES[kind]} for {field}", got=show_value(value))
    if kind is float and value - value != 0:
        raise InputError(f"a finite number for {field}", got=show_value(value))
    return value
