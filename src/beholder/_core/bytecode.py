"""What a compiled function does and touches, read from its bytecode: no line numbers, no file names, no own name."""

from __future__ import annotations

import dis
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

import xxhash

MUTATORS = frozenset({
    "append", "appendleft", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "popleft",
    "remove", "discard", "clear", "append_", "copy_", "register_buffer", "__setitem__",
})  # fmt: skip
"""Methods that change what they are called on."""

DYNAMIC = frozenset({"getattr", "setattr", "vars", "eval", "exec", "globals", "locals", "__dict__"})
"""Names by which code reaches what it does not spell out."""

_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})
_CELL = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_ATTRIBUTE = frozenset({"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"})
_WRITES_ITEM = frozenset({"STORE_SUBSCR", "DELETE_SUBSCR"})
_WALKED_BACK = 200


@dataclass(frozen=True)
class CodeFacts:
    """What :func:`read_code` finds; functions inside the function are part of it.

    Attributes
    ----------
    digest : bytes
        Of instructions, constants and names.
    reads : tuple of tuple of str
        Each global or closure variable that is read, with the attributes that follow: ``("helpers", "scale")``.
    imports : tuple of tuple of str
        Each module imported inside, with the name taken from it.
    attributes : frozenset of str
        Names of all attributes that are read.
    own_written, other_written : frozenset of str
        Attributes of the first argument (``self``), and of anything else, that are assigned or changed in place.
    written_variables : frozenset of str
        Globals and closure variables that are assigned or changed in place.
    words : frozenset of str or None
        The strings in code that reaches for names it does not spell out (``getattr``); None in other code.
    """

    digest: bytes
    reads: tuple[tuple[str, ...], ...]
    imports: tuple[tuple[str, ...], ...]
    attributes: frozenset[str]
    own_written: frozenset[str]
    other_written: frozenset[str]
    written_variables: frozenset[str]
    words: frozenset[str] | None


@lru_cache(maxsize=16384)
def read_code(code: CodeType) -> CodeFacts:
    """Read a code object; equal ones are read once."""
    instructions = [i for i in dis.get_instructions(code) if i.opname not in ("CACHE", "EXTENDED_ARG", "PRECALL")]
    reads: dict[tuple[str, ...], None] = {}
    imports: dict[tuple[str, ...], None] = {}
    attributes: set[str] = set()
    written: dict[bool, set[str]] = {True: set(), False: set()}
    variables: set[str] = set()
    first = code.co_varnames[0] if code.co_argcount else None
    for at, one in enumerate(instructions):
        name, op = one.argval, one.opname
        if op in _GLOBAL or (op in _CELL and name in code.co_freevars):
            reads[name, *_follow(instructions, at + 1)] = None
        elif op in _ATTRIBUTE:
            attributes.add(name)
            if name in MUTATORS:
                _note_owner(instructions, at - 1, first, written, variables)
                if name == "register_buffer" and at + 1 < len(instructions):
                    written[True].add(str(instructions[at + 1].argval))
        elif op in ("STORE_ATTR", "DELETE_ATTR"):
            place = _before_copy(instructions, at - 1)  # self.n += 1 loads self once, and keeps a copy
            written[_is_first(instructions, place, first)].add(name)
            _note_owner(instructions, place, first, written, variables)
        elif op in ("STORE_GLOBAL", "STORE_DEREF", "DELETE_GLOBAL", "DELETE_DEREF"):
            if op.endswith("GLOBAL") or name in code.co_freevars:
                variables.add(name)
        elif op in _WRITES_ITEM:
            place = _skip_operand(instructions, _before_copy(instructions, at - 1))
            _note_owner(instructions, place, first, written, variables)
        elif op == "IMPORT_NAME":
            taken = [i.argval for i in instructions[at + 1 : at + 40] if i.opname == "IMPORT_FROM"]
            imports |= dict.fromkeys([(name, attribute) for attribute in taken] or [(name,)])
    inner = [read_code(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    names = {chain[0] for chain in reads} | attributes
    words = {c for c in code.co_consts if isinstance(c, str)} if names & DYNAMIC else None
    for facts in inner:
        reads |= dict.fromkeys(facts.reads)
        imports |= dict.fromkeys(facts.imports)
        attributes |= facts.attributes
        written[False] |= facts.own_written | facts.other_written
        variables |= facts.written_variables
        words = words if facts.words is None else {*(words or ()), *facts.words}
    return CodeFacts(
        _digest(code, _find_docstring(code, instructions)),
        tuple(reads),
        tuple(imports),
        frozenset(attributes),
        frozenset(written[True]),
        frozenset(written[False]),
        frozenset(variables),
        None if words is None else frozenset(words),
    )


def _follow(instructions: list[Any], at: int) -> list[str]:
    """Names of the attributes taken one after another."""
    names: list[str] = []
    while at < len(instructions) and instructions[at].opname in _ATTRIBUTE:
        names.append(instructions[at].argval)
        at += 1
    return names


def _before_copy(instructions: list[Any], at: int) -> int:
    """The last instruction of what is assigned to, also where ``+=`` has read it first."""
    if at < 0 or instructions[at].opname != "SWAP":
        return at
    while at >= 0 and instructions[at].opname != "COPY":
        at -= 1
    while at >= 0 and instructions[at].opname == "COPY":
        at -= 1
    return at


def _is_first(instructions: list[Any], at: int, first: str | None) -> bool:
    """Whether the instruction ``at`` puts the first argument on the stack last."""
    if first is None or not 0 <= at < len(instructions) or not instructions[at].opname.startswith("LOAD_FAST"):
        return False
    name: Any = instructions[at].argval
    last: Any = name
    return bool((last[-1] if isinstance(name, tuple) else last) == first)


def _note_owner(
    instructions: list[Any], at: int, first: str | None, written: dict[bool, set[str]], variables: set[str]
) -> None:
    """Note the variable or attribute that the instruction ``at`` puts on the stack as changed."""
    if not 0 <= at < len(instructions):
        return
    owner = instructions[at]
    if owner.opname in _ATTRIBUTE:
        written[_is_first(instructions, at - 1, first)].add(owner.argval)
    elif owner.opname in _GLOBAL or owner.opname in _CELL:
        variables.add(owner.argval)
    elif owner.opname == "BINARY_SUBSCR":  # kept[0][1] = x changes kept
        _note_owner(instructions, _skip_operand(instructions, at - 1), first, written, variables)


def _skip_operand(instructions: list[Any], at: int) -> int:
    """Index of the instruction that ends the operand below the one that ends at ``at``."""
    depth = 0
    for index in range(at, max(-1, at - _WALKED_BACK), -1):
        one = instructions[index]
        try:
            depth += dis.stack_effect(one.opcode, one.arg, jump=False)
        except ValueError:
            return -1
        if depth >= 1:
            return index - 1
    return -1


def _find_docstring(code: CodeType, instructions: list[Any]) -> bool:
    """Whether the first constant is text that no instruction reads."""
    if not code.co_consts or not isinstance(code.co_consts[0], str):
        return False
    return not any(i.opname.startswith("LOAD_CONST") and i.arg == 0 for i in instructions)


def _digest(code: CodeType, has_docstring: bool) -> bytes:
    constants = list(code.co_consts)
    if has_docstring:
        constants[0] = None
    n_named = code.co_argcount + code.co_kwonlyargcount
    parts = [
        code.co_code,
        repr([_describe_constant(constant) for constant in constants]).encode(),
        repr((code.co_names, code.co_varnames[:n_named])).encode(),
        repr((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)).encode(),
        getattr(code, "co_exceptiontable", b""),
    ]
    digest = xxhash.xxh3_128()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()


def _describe_constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return "code", read_code(value).digest.hex()
    items: Any = value
    if isinstance(value, tuple):
        return "tuple", [_describe_constant(item) for item in items]
    if isinstance(value, frozenset):
        return "frozenset", sorted(repr(_describe_constant(item)) for item in items)
    return type(value).__name__, repr(value)
