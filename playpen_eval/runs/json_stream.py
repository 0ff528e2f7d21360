"""Reads large JSON texts piece by piece; unlike ijson it takes the NaN and Infinity that logs hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

_CHUNK = 1 << 20
_SPACE = " \t\n\r"
_NUMBER = "0123456789.eE+-"


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

    def array(self) -> Iterator[Any]:
        """The elements of the array that begins here."""
        self._expect("[")
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            yield self._value()
            if self._expect(",]") == "]":
                return

    def members(self, *streamed: str) -> Iterator[tuple[str, Any]]:
        """Names and values of the object that begins here; of arrays named in `streamed` one element at a time."""
        self._expect("{")
        while self._peek() != "}":
            name = self._value()
            self._expect(":")
            if name in streamed and self._peek() == "[":
                for element in self.array():
                    yield name, element
            else:
                yield name, self._value()
            if self._expect(",}") == "}":
                return
        self._at += 1

    def _more(self) -> None:
        chunk = self._text.read(max(_CHUNK, len(self._buffer) - self._at))
        self._ended = not chunk
        self._buffer = self._buffer[self._at :] + chunk
        self._at = 0

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
