"""A pickle reader that builds arrays and inert records, and nothing else.

`pickle` lets a file name any importable callable and call it. Here a file may only name what a reader allows; every other
name ends the load with an error that says which name was refused.
"""

from __future__ import annotations

import codecs
import math
import pickle
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from forge_rt import CorruptFileError, NotFoundError


class Record:
    """Stands for an object of a foreign class: keeps its state, has no behaviour."""

    def __init__(self, *args: Any) -> None:
        self.args = args
        self.state: Any = {}

    def __setstate__(self, state: Any) -> None:
        # (dict, slots) pairs come from objects with __slots__.
        if (
            isinstance(state, tuple)
            and len(state) == 2
            and all(part is None or isinstance(part, dict) for part in state)
        ):
            state = {**(state[0] or {}), **(state[1] or {})}
        self.state = state


class _DType(Record):
    """`numpy.dtype(spec, align, copy)`, then state (version, byte order, …)."""

    def decode(self) -> np.dtype | None:
        """The number type it names; None for Python objects. NumPy's own unpickling is not used: it trusts the file."""
        spec = self.args[0] if self.args else None
        spec = spec.decode("latin-1") if isinstance(spec, bytes) else spec
        if not isinstance(spec, str) or not re.fullmatch(r"[|<>=]?([fiu][1248]|b1|O[48]?)", spec):
            raise pickle.UnpicklingError(f"an array of type {spec!r}; only numbers are read")
        if spec.lstrip("|<>=").startswith("O"):
            return None
        order = self.state[1] if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        order = order.decode("latin-1") if isinstance(order, bytes) else order
        dtype = np.dtype(spec)
        return dtype.newbyteorder(order) if order in ("<", ">") else dtype


class _Array(Record):
    """`numpy._reconstruct(...)`, then state (version, shape, dtype, Fortran order, data)."""

    def decode(self) -> Any:
        if not isinstance(self.state, tuple) or len(self.state) not in (4, 5):
            raise pickle.UnpicklingError("an array without contents")
        shape, dtype, fortran, data = self.state[-4:]
        if (
            not isinstance(dtype, _DType)
            or not isinstance(shape, tuple)
            or not all(isinstance(n, int) and 0 <= n < 2**40 for n in shape)
        ):
            raise pickle.UnpicklingError("an array without a valid shape and type")
        number = dtype.decode()
        count = math.prod(shape)
        if number is None:
            if not isinstance(data, list) or len(data) != count:
                raise pickle.UnpicklingError("an array of objects with the wrong number of elements")
            return data[0] if shape == () else list(data)
        raw = data.encode("latin-1") if isinstance(data, str) else data
        if not isinstance(raw, bytes) or len(raw) != count * number.itemsize:
            raise pickle.UnpicklingError(f"an array of shape {shape} with the wrong number of bytes")
        array = np.frombuffer(raw, number).reshape(shape, order="F" if fortran else "C")
        return array.astype(number.newbyteorder("="))


class NumpyScalar(Record):
    """`numpy.core.multiarray.scalar(dtype, data)`."""

    def decode(self) -> Any:
        if len(self.args) != 2 or not isinstance(self.args[0], _DType):
            raise pickle.UnpicklingError("a NumPy scalar without type or value")
        number = self.args[0].decode()
        raw = self.args[1].encode("latin-1") if isinstance(self.args[1], str) else self.args[1]
        if number is None or not isinstance(raw, bytes) or len(raw) != number.itemsize:
            raise pickle.UnpicklingError("a NumPy scalar of the wrong size")
        return np.frombuffer(raw, number)[0]


class _Buffer(Record):
    """`numpy._core.numeric._frombuffer(data, dtype, shape, order)`: how protocol 5 writes an array."""

    def decode(self) -> Any:
        if len(self.args) != 4:
            raise pickle.UnpicklingError("an array without contents")
        data, dtype, shape, order = self.args
        array = _Array()
        array.state = (1, shape, dtype, order == "F", bytes(data) if isinstance(data, bytearray) else data)
        return array.decode()


def _decoded(value: Any, depth: int = 0, seen: dict[int, Any] | None = None) -> Any:
    """`value` with arrays and scalars in place of their records, in containers and in the states of records.

    What is referred to many times is decoded once: a short file can describe a value of astronomical size.
    """
    if depth > 100:
        raise pickle.UnpicklingError("nested too deeply, or refers to itself")
    if not isinstance(value, (Record, dict, list, tuple)):
        return value
    seen = {} if seen is None else seen
    if id(value) in seen:
        return seen[id(value)][1]
    if isinstance(value, (_Array, _Buffer, NumpyScalar)):
        out = value.decode()
        if isinstance(out, (list, dict, Record)):
            out = _decoded(out, depth + 1, seen)
    elif isinstance(value, Record):
        value.state = _decoded(value.state, depth + 1, seen)
        out = value
    elif isinstance(value, dict):
        out = {k: _decoded(v, depth + 1, seen) for k, v in value.items()}
    else:
        out = type(value)(_decoded(v, depth + 1, seen) for v in value)
    seen[id(value)] = value, out  # keeps `value`, so that its id stays its own
    return out


def _new_record(*_args: Any) -> Record:
    """Replaces `copy_reg._reconstructor(cls, base, state)`, which would call `cls`."""
    return Record()


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """Replaces `_codecs.encode`, by which protocol 2 writes bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes written with codec {encoding}")
    return text.encode("latin-1")


def _no_bytes(*args: Any) -> bytes:
    """Replaces `bytes()`, by which protocol 2 writes empty bytes."""
    if args:
        raise pickle.UnpicklingError("bytes made from other objects")
    return b""


def _key(value: Any) -> Any:
    """`value`, if it may be a key. Hashing nested tuples recurses without a limit, and huge integers can be made to collide."""
    if isinstance(value, tuple):
        plain = all(isinstance(v, (str, int, type(None))) and not _huge(v) for v in value)
    else:
        plain = isinstance(value, (str, bytes, int, float, type(None))) and not _huge(value)
    if not plain:
        raise pickle.UnpicklingError(f"a key of type {type(value).__name__}; keys are names and numbers")
    return value


def _huge(value: Any) -> bool:
    return isinstance(value, int) and not -(2**63) <= value < 2**64


def _new_set(items: Any = ()) -> set[Any]:
    if not isinstance(items, (list, tuple)):
        raise pickle.UnpicklingError("a set of something that is no list")
    return {_key(item) for item in items}


def _new_dict(pairs: Any = ()) -> dict[Any, Any]:
    if not isinstance(pairs, (list, tuple)) or not all(isinstance(p, (list, tuple)) and len(p) == 2 for p in pairs):
        raise pickle.UnpicklingError("a dictionary of something that is no list of pairs")
    return {_key(k): v for k, v in pairs}


#: What NumPy arrays need, under Python 2 and 3, old and new NumPy.
NUMPY_NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): Record,
    ("numpy", "dtype"): _DType,
    ("_codecs", "encode"): _latin1,
    ("__builtin__", "bytes"): _no_bytes,
    ("builtins", "bytes"): _no_bytes,
}
for _module in ("numpy.core", "numpy._core"):
    NUMPY_NAMES[f"{_module}.multiarray", "_reconstruct"] = _Array
    NUMPY_NAMES[f"{_module}.multiarray", "scalar"] = NumpyScalar
    NUMPY_NAMES[f"{_module}.numeric", "_frombuffer"] = _Buffer

#: Python 2's old-style object reconstruction, and plain containers.
OBJECT_NAMES: dict[tuple[str, str], Any] = {
    ("copy_reg", "_reconstructor"): _new_record,
    ("copyreg", "_reconstructor"): _new_record,
    ("__builtin__", "object"): Record,
    ("builtins", "object"): Record,
    ("__builtin__", "set"): _new_set,
    ("builtins", "set"): _new_set,
    ("collections", "OrderedDict"): _new_dict,
}


class Name:
    """What a file named: inert until it is called, and nothing that a file could change."""

    def __init__(self, maker: Callable[..., Any]) -> None:
        self.maker = maker


_MARK = object()
_TEXT_LIMIT = 1 << 12  #: longest line of the text opcodes for numbers and names


class Machine:
    """Runs the opcodes of one pickle. Python's own unpickler would do but for hostile files: it hashes what it is told to, and its
    table of remembered values is as large as the file says. Here memory and time grow with the length of the file, and nothing recurses.

    `find(module, name)` gives what stands for a name, or None. `persistent(id)` gives data outside of the pickle. After `run`, `position`
    is the first byte behind it.
    """

    def __init__(
        self,
        data: bytes,
        find: Callable[[str, str], Callable[..., Any] | None],
        *,
        encoding: str = "latin-1",
        persistent: Callable[[Any], Any] | None = None,
        position: int = 0,
    ) -> None:
        self.data, self.find, self.encoding, self.persistent, self.position = data, find, encoding, persistent, position
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.names: dict[tuple[str, str], Name] = {}

    def run(self) -> Any:
        while True:
            code = self.take(1)[0]
            if code == 0x2E:  # STOP
                if len(self.stack) != 1:
                    raise pickle.UnpicklingError("a pickle that ends with other than one value")
                return self._value(self.stack.pop())
            step = _OPCODES.get(code)
            if step is None:
                raise pickle.UnpicklingError(
                    f"opcode {code:#x} at byte {self.position - 1}, which this reader does not know"
                )
            step(self)

    # ---- bytes ----

    def take(self, count: int) -> bytes:
        out = self.data[self.position : self.position + count] if count >= 0 else b""
        if len(out) != count:
            raise pickle.UnpicklingError(f"it ends within {count} bytes that it announces at byte {self.position}")
        self.position += count
        return out

    def line(self, limit: int | None = _TEXT_LIMIT) -> bytes:
        end = self.data.find(b"\n", self.position, None if limit is None else self.position + limit)
        if end < 0:
            raise pickle.UnpicklingError(f"a line without end at byte {self.position}")
        out = self.data[self.position : end]
        self.position = end + 1
        return out

    def number(self, format: str) -> Any:
        return struct.unpack(format, self.take(struct.calcsize(format)))[0]

    # ---- stack ----

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise pickle.UnpicklingError(f"a value is missing at byte {self.position - 1}")
        return self.stack.pop()

    def pop_value(self) -> Any:
        return self._value(self.pop())

    def _value(self, value: Any) -> Any:
        if isinstance(value, Name) or value is _MARK:
            raise pickle.UnpicklingError("a class or function where a value belongs")
        return value

    def top(self, kind: type | tuple[type, ...]) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise pickle.UnpicklingError(f"a container is missing at byte {self.position - 1}")
        return self.stack[-1]

    def pop_marked(self) -> list[Any]:
        at = len(self.stack) - 1
        while at >= 0 and self.stack[at] is not _MARK:
            at -= 1
        if at < 0:
            raise pickle.UnpicklingError(f"a mark is missing at byte {self.position - 1}")
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    # ---- steps ----

    def name(self, module: Any, name: Any) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise pickle.UnpicklingError("a name that is no text")
        if (module, name) not in self.names:
            maker = self.find(module, name)
            if maker is None:
                raise pickle.UnpicklingError(
                    f"the file asks for {module[:200]}.{name[:200]}, which this reader does not allow"
                )
            self.names[module, name] = Name(maker)
        self.push(self.names[module, name])

    def text_name(self) -> tuple[str, str]:
        return self.line().decode("utf-8"), self.line().decode("utf-8")

    def call(self, function: Any, arguments: Any, named: Any = None) -> None:
        if not isinstance(function, Name) or not isinstance(arguments, (tuple, list)) or named:
            raise pickle.UnpicklingError(f"a call of something else than a name at byte {self.position - 1}")
        self.push(function.maker(*(a.maker if isinstance(a, Name) else a for a in arguments)))

    def build(self) -> None:
        state, target = self.pop(), self.top(object)
        if isinstance(target, Record):
            target.__setstate__(self._value(state))
        elif not (isinstance(target, (dict, set)) and not state):  # subclasses of dict have an empty state
            raise pickle.UnpicklingError(f"a state for something that has none at byte {self.position - 1}")

    def set_items(self, target: dict[Any, Any], items: Sequence[Any]) -> dict[Any, Any]:
        if len(items) % 2:
            raise pickle.UnpicklingError("a key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[_key(key)] = self._element(value)
        return target

    def extend(self, target: list[Any], items: Sequence[Any]) -> list[Any]:
        target.extend(map(self._element, items))
        return target

    def _element(self, value: Any) -> Any:
        return self._value(value)

    def tuple_of(self, items: Sequence[Any]) -> None:
        self.push(tuple(items))  # may hold names: they are arguments

    def remember(self, index: int) -> None:
        self.memo[index] = self.top(object)

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise pickle.UnpicklingError(f"value {index} is used before it is made, at byte {self.position - 1}")
        self.push(self.memo[index])

    def text_integer(self) -> Any:
        line = self.line()
        if line in (b"00", b"01"):
            return line == b"01"
        return int(line.rstrip(b"L"))

    def outside(self, id: Any) -> None:
        if self.persistent is None:
            raise pickle.UnpicklingError("the file refers to data outside of it")
        self.push(self.persistent(id))

    def small_integer(self, count: int) -> int:
        if count > 255:
            raise pickle.UnpicklingError(f"an integer of {count} bytes")
        return int.from_bytes(self.take(count), "little", signed=True)

    def frozen(self) -> None:
        self.push(frozenset(map(_key, self.pop_marked())))

    def add(self) -> None:
        items = self.pop_marked()
        self.top(set).update(map(_key, items))

    def quoted(self) -> str:
        line = self.line(None).strip()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise pickle.UnpicklingError("a string without quotes")
        return codecs.escape_decode(line[1:-1])[0].decode(self.encoding)  # type: ignore[attr-defined]

    def old_instance(self, name: tuple[str, str] | None) -> None:
        arguments = self.pop_marked()
        if name is None:
            if not arguments:
                raise pickle.UnpicklingError("an object without a class")
            function = arguments.pop(0)
        else:
            self.name(*name)
            function = self.pop()
        self.call(function, arguments)

    def new_object(self, named: bool) -> None:
        keywords = self.pop() if named else None
        arguments, function = self.pop(), self.pop()
        self.call(function, arguments, keywords)


def _pop_then(step: Callable[[Machine, Any], None]) -> Callable[[Machine], None]:
    return lambda m: step(m, m.pop_value())


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items(machine.top(dict), [key, value])


def _pop_any(machine: Machine) -> None:
    if not machine.stack:
        raise pickle.UnpicklingError("nothing to drop")
    machine.stack.pop()


def _utf8(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _stack_name(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.name(module, name)


def _marked(then: Callable[[Machine, list[Any]], None]) -> Callable[[Machine], None]:
    return lambda m: then(m, m.pop_marked())


def _tuple(count: int) -> Callable[[Machine], None]:
    return lambda m: m.tuple_of([m.pop() for _ in range(count)][::-1])


_OPCODES: dict[int, Callable[[Machine], Any]] = {
    ord(code): step
    for code, step in {
        "\x80": lambda m: m.take(1),  # PROTO
        "\x95": lambda m: m.take(8),  # FRAME
        "(": lambda m: m.push(_MARK),
        "0": _pop_any,
        "1": lambda m: m.pop_marked(),
        "2": lambda m: m.push(m.top(object)),
        "N": lambda m: m.push(None),
        "\x88": lambda m: m.push(True),
        "\x89": lambda m: m.push(False),
        # numbers
        "I": lambda m: m.push(m.text_integer()),
        "L": lambda m: m.push(m.text_integer()),
        "J": lambda m: m.push(m.number("<i")),
        "K": lambda m: m.push(m.number("<B")),
        "M": lambda m: m.push(m.number("<H")),
        "\x8a": lambda m: m.push(m.small_integer(m.number("<B"))),
        "\x8b": lambda m: m.push(m.small_integer(m.number("<I"))),
        "F": lambda m: m.push(float(m.line())),
        "G": lambda m: m.push(m.number(">d")),
        # strings and bytes
        "S": lambda m: m.push(m.quoted()),
        "T": lambda m: m.push(m.take(m.number("<i")).decode(m.encoding)),
        "U": lambda m: m.push(m.take(m.number("<B")).decode(m.encoding)),
        "B": lambda m: m.push(m.take(m.number("<I"))),
        "C": lambda m: m.push(m.take(m.number("<B"))),
        "\x8e": lambda m: m.push(m.take(m.number("<Q"))),
        "\x96": lambda m: m.push(m.take(m.number("<Q"))),
        "V": lambda m: m.push(m.line(None).decode("raw-unicode-escape")),
        "X": lambda m: m.push(_utf8(m.take(m.number("<I")))),
        "\x8c": lambda m: m.push(_utf8(m.take(m.number("<B")))),
        "\x8d": lambda m: m.push(_utf8(m.take(m.number("<Q")))),
        # containers
        ")": lambda m: m.push(()),
        "]": lambda m: m.push([]),
        "}": lambda m: m.push({}),
        "\x8f": lambda m: m.push(set()),
        "t": _marked(Machine.tuple_of),
        "l": _marked(lambda m, items: m.push(m.extend([], items))),
        "d": _marked(lambda m, items: m.push(m.set_items({}, items))),
        "\x85": _tuple(1),
        "\x86": _tuple(2),
        "\x87": _tuple(3),
        "a": _pop_then(lambda m, value: m.top(list).append(value)),
        "e": _marked(lambda m, items: m.extend(m.top(list), items)),
        "s": _set_item,
        "u": _marked(lambda m, items: m.set_items(m.top(dict), items)),
        "\x90": Machine.add,
        "\x91": Machine.frozen,
        # values that are used again
        "p": lambda m: m.remember(m.text_integer()),
        "q": lambda m: m.remember(m.number("<B")),
        "r": lambda m: m.remember(m.number("<I")),
        "\x94": lambda m: m.remember(len(m.memo)),
        "g": lambda m: m.recall(m.text_integer()),
        "h": lambda m: m.recall(m.number("<B")),
        "j": lambda m: m.recall(m.number("<I")),
        # names and what is made with them
        "c": lambda m: m.name(*m.text_name()),
        "\x93": _stack_name,
        "R": lambda m: m.new_object(False),
        "\x81": lambda m: m.new_object(False),
        "\x92": lambda m: m.new_object(True),
        "i": lambda m: m.old_instance(m.text_name()),
        "o": lambda m: m.old_instance(None),
        "b": Machine.build,
        "P": lambda m: m.outside(m.line().decode("latin-1")),
        "Q": _pop_then(lambda m, id: m.outside(id)),
    }.items()
}


def load(
    source: str | Path | bytes,
    allowed: Mapping[tuple[str, str], Any],
    *,
    encoding: str = "latin-1",
    what: str = "pickle",
) -> Any:
    """Decodes one pickle from a path or from bytes.

    `allowed` maps (module, name) to the class or function that stands for it. `what` names the expected kind of file in
    errors. Raises NotFoundError, or CorruptFileError for anything that is not such a file.
    """
    name = "data" if isinstance(source, bytes) else str(source)
    if isinstance(source, bytes):
        data = source
    else:
        path = Path(source)
        if not path.is_file():
            raise NotFoundError(f"no file {path}")
        data = path.read_bytes()
    try:
        return _decoded(Machine(data, lambda *name: allowed.get(name), encoding=encoding).run())
    except Exception as error:  # a damaged pickle can fail in any way
        raise CorruptFileError(f"{name} is not a readable {what}: {error}") from error
