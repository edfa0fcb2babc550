"""The physical lines of a text file, with their numbers and byte positions, in constant memory."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from domain.errors import InvalidInputError
from imports.text_encoding import Encoding

MAX_RECORD_CHARACTERS: Final = 1 << 20
_BLOCK_BYTES = 1 << 16  # is even: no unit of UTF-16 is split


class Position(NamedTuple):
    """Where reading continues: how many records and physical lines precede, and the byte that follows."""

    record: int = 0
    line: int = 0
    byte: int = 0


BEGINNING: Final = Position()


class Lines:
    r"""Iterates over the lines of a seekable file, each with its ending: \n, \r\n or \r.

    `number` lines have been returned; `byte` is the position after the last of them. `record` is the text
    since `begin_record`.

    Raises: InvalidInputError while iterating, for bytes that the encoding does not have, for a NUL, and for a
    record of more than `MAX_RECORD_CHARACTERS`.
    """

    def __init__(self, file: BinaryIO, encoding: Encoding, start: Position = BEGINNING) -> None:
        self._file = file
        self._encoding = encoding.name
        self._size = _size(encoding.name)
        self.number = start.line
        self.byte = max(start.byte, encoding.mark_bytes)
        self._record: list[str] = []
        self._characters = 0
        self._lines = self._read()

    def __iter__(self) -> Iterator[str]:
        return self._lines

    def begin_record(self) -> int:
        """Begin the next record; return the number of its first line."""
        self._record.clear()
        self._characters = 0
        return self.number + 1

    @property
    def record(self) -> list[str]:
        """Return the lines that were read since the record began."""
        return self._record

    def _read(self) -> Iterator[str]:
        size, record = self._size, self._record
        for lines in self._blocks():
            for line in lines:
                self.number += 1
                self.byte += size(line)
                self._characters += len(line)
                record.append(line)
                if self._characters > MAX_RECORD_CHARACTERS:
                    raise self._too_long()
                yield line

    def _blocks(self) -> Iterator[list[str]]:
        """Split the text of each block; a line that may continue in the next block waits for it."""
        decoder, rest = codecs.getincrementaldecoder(self._encoding)(), ""
        place = self.byte
        while block := self._block(place):
            place += len(block)
            lines = _split(rest + self._decoded(decoder, block, rest))
            rest = lines.pop() if lines and not lines[-1].endswith("\n") else ""
            yield lines
            if len(rest) > MAX_RECORD_CHARACTERS:
                raise self._too_long()
        yield _split(rest + self._decoded(decoder, b"", rest))

    def _block(self, place: int) -> bytes:
        self._file.seek(place)  # others may read the same file meanwhile
        return self._file.read(_BLOCK_BYTES)

    def _decoded(self, decoder: codecs.IncrementalDecoder, block: bytes, rest: str) -> str:
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(self._encoding, "replace")
            raise InvalidInputError({"body": self._damage(_split(rest + before))}) from error
        if "\0" in text:
            line = self._line_after(_split(rest + text[: text.index("\0")]))
            raise InvalidInputError({"body": f"has a NUL character in line {line}"})
        return text

    def _damage(self, before: list[str]) -> str:
        is_utf8 = self._encoding == "utf-8"
        wanted = "not UTF-8, as those before are" if is_utf8 else f"neither UTF-8 nor {self._encoding}"
        return f"has bytes in line {self._line_after(before)} that are {wanted}"

    def _line_after(self, lines: list[str]) -> int:
        return self.number + max(1, len(lines) + bool(lines and lines[-1][-1] in "\r\n"))

    def _too_long(self) -> InvalidInputError:
        line = self.number - len(self._record) + 1
        limit = f"{MAX_RECORD_CHARACTERS:,} characters"
        return InvalidInputError({"body": f"has more than {limit} in the record that begins in line {line}"})


def _split(text: str) -> list[str]:
    # Unlike `str.splitlines`, this splits at no other control characters.
    return io.StringIO(text, newline="").readlines()


def _size(encoding: str) -> Callable[[str], int]:
    """Return the function that counts the bytes of a line."""
    if encoding == "utf-8":
        return lambda line: len(line) if line.isascii() else len(line.encode())
    if encoding.startswith("utf-16"):
        return lambda line: len(line.encode(encoding))
    return len
