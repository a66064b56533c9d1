"""Flags of a command, looked up once in all tests: cyclopts does it at each call, for a tenth of a second."""

from __future__ import annotations

import copy
from typing import Any

from cyclopts import App, ArgumentCollection, Parameter

_found: dict[tuple[int, bool], list[tuple[App, Any, Parameter, ArgumentCollection]]] = {}
_look_up = App.assemble_argument_collection


def look_up_once() -> None:
    """Do so from now on; each call is given flags that hold no values yet."""
    App.assemble_argument_collection = _recall  # type: ignore[method-assign]


def _recall(
    self: App, *, default_parameter: Parameter | None = None, parse_docstring: bool = False
) -> ArgumentCollection:
    default = Parameter.combine(self.app_stack.default_parameter, default_parameter)
    known = _found.setdefault((id(self), parse_docstring), [])
    for _, command, of, collection in known:
        if command is self.default_command and of == default:
            return _empty(collection)
    made = _look_up(self, default_parameter=default_parameter, parse_docstring=parse_docstring)
    known.append((self, self.default_command, default, _empty(made)))  # which also keeps its id its own
    return made


def _empty(collection: ArgumentCollection) -> ArgumentCollection:
    """The same flags without values."""
    made = {id(argument): copy.copy(argument) for argument in collection}
    for argument in made.values():
        argument.tokens = []
        argument.children = ArgumentCollection([made[id(child)] for child in argument.children])
    return ArgumentCollection(list(made.values()))
