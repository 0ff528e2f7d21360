"""Reads large JSON texts piece by piece; unlike ijson it takes the NaN and Infinity that logs hold."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any, TextIO

_CHUNK = 1 << 20
_SPACE = " \t\n\r"
_NUMBER = "0123456789.eE+-"
_CLOSING = {"[": "]", "{": "}"}
_MARGIN = 1000  # further back no line break is looked for: in a text without any that would take long


class JsonStream:
    """A text of which one value is decoded at a time.

    Both ways to read raise ValueError where the text is no JSON or ends too early.
    """

    def __init__(self, text: TextIO):
        self._text = text
        self._buffer = ""
        self._at = 0
        self._ended = False
        self._decode = json.JSONDecoder().raw_decode

    def array(self, wanted: Collection[str] | None = None) -> Iterator[Any]:
        """The elements of the array that begins here; if `wanted` is given, only these members of objects."""
        self._expect("[")
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            yield self._value() if wanted is None or self._peek() != "{" else self._object(wanted)
            if self._expect(",]") == "]":
                return

    def members(self, *streamed: str, wanted: Collection[str] | None = None) -> Iterator[tuple[str, Any]]:
        """Names and values of the object that begins here.

        Args:
            *streamed: Arrays of which one element at a time is given.
            wanted: Members of the objects in those arrays; others are skipped, fast where the text is indented.
        """
        for name in self._names():
            if name in streamed and self._peek() == "[":
                for element in self.array(wanted):
                    yield name, element
            else:
                yield name, self._value()

    def _names(self) -> Iterator[str]:
        """The names in the object that begins here; whoever takes one reads its value before the next."""
        self._expect("{")
        if self._peek() == "}":
            self._at += 1
            return
        while True:
            if self._peek() != '"':
                raise ValueError(f"{self._peek()!r} where a name is due")
            name = self._value()
            self._expect(":")
            yield name
            if self._expect(",}") == "}":
                return

    def _object(self, wanted: Collection[str]) -> dict[str, Any]:
        found = {}
        for name in self._names():
            if name in wanted:
                found[name] = self._value()
            else:
                self._skip()
        return found

    def _skip(self) -> None:
        """Skips the value that begins here."""
        opening, start = self._peek(), self._line_break()
        line = self._buffer[start : self._at] if start >= 0 else ""
        indent = line[: len(line) - len(line.lstrip())]
        # A line break alone is no indentation: then every depth looks alike.
        if len(indent) < 2 or opening not in _CLOSING or self._buffer[self._at + 1 : self._at + 2] != "\n":
            self._value()
            return
        # No string holds a line break. So where the value is spread over lines, it ends with the first line that is
        # indented as the line where it began, and begins with the closing bracket.
        closing = indent + _CLOSING[opening]
        while (end := self._buffer.find(closing, self._at)) < 0:
            if self._ended:
                raise ValueError("the text ends too early")
            self._at = max(self._at, len(self._buffer) - len(closing))
            self._more()
        self._at = end + len(closing)

    def _more(self) -> None:
        chunk = self._text.read(max(_CHUNK, len(self._buffer) - self._at))
        self._ended = not chunk
        # From the line break on, whose indentation `_skip` needs.
        begin = self._line_break()
        begin = self._at if begin < 0 else begin
        self._buffer = self._buffer[begin:] + chunk
        self._at -= begin

    def _line_break(self) -> int:
        """Where the line begins that is being read; -1 if that is far away."""
        return self._buffer.rfind("\n", max(0, self._at - _MARGIN), self._at)

    def _peek(self) -> str:
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if self._ended:
                raise ValueError("the text ends too early")
            self._more()

    def _expect(self, wanted: str) -> str:
        found = self._peek()
        if found not in wanted:
            raise ValueError(f"{found!r} where {' or '.join(wanted)} is due")
        self._at += 1
        return found

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = self._decode(self._buffer, self._at)
            except ValueError:
                if self._ended:
                    raise
            else:
                # A number may go on in the next chunk: 1 may be the beginning of 1.5e-3.
                if self._ended or self._buffer[end : end + 1] not in _NUMBER:
                    self._at = end
                    return value
            self._more()
