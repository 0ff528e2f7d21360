"""Reads members of zip archives that are compressed by zstd, as .eval files are, in pieces.

Python's zipfile learns zstd with 3.14 only. The package that teaches it to older ones stops after the first frame of a
member, and Inspect begins a new frame every 200 MiB.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import IO, Any

ZSTANDARD = 93
"""The method's number in zip archives."""

_BUFFER = 1 << 20
_HEADER = struct.Struct("<26xHH")  # of a member: at its end the lengths of name and extra field


class _Member(io.RawIOBase):
    """The decompressed bytes of a member; a wrong checksum raises at the end."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo):
        import zstandard

        # Another handle than the archive's own, whose position others move.
        self._file = open(str(archive.filename), "rb")  # noqa: SIM115 - closed with this object
        self._file.seek(info.header_offset)
        name, extra = _HEADER.unpack(self._file.read(_HEADER.size))
        self._file.seek(name + extra, io.SEEK_CUR)
        self._info, self._crc = info, 0
        self._reader: Any = zstandard.ZstdDecompressor().stream_reader(self._file, read_across_frames=True)
        self._left = info.file_size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # After the member come other bytes, which are no zstd.
        piece = self._reader.read(min(len(buffer), self._left))
        self._left -= len(piece)
        self._crc = zlib.crc32(piece, self._crc)
        if (not piece and self._left) or (not self._left and self._crc != self._info.CRC):
            raise zipfile.BadZipFile(f"{self._info.filename} is damaged")
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._file.close()
        super().close()


def open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Opens a member for reading.

    Args:
        archive: An archive that was opened by its file name.
        name: The member.
    """
    info = archive.getinfo(name)
    if info.compress_type != ZSTANDARD:
        return archive.open(info)
    return io.BufferedReader(_Member(archive, info), _BUFFER)
