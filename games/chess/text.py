"""What is said: positions and moves with a blank between the characters, as the paper's models read them."""

from __future__ import annotations

import re

FEN = "FEN:"
_SAN = re.compile(r"(?:[KQRBN]?[a-h]?[1-8]?x?[a-h][1-8](?:=?[QRBN])?|[O0]-[O0](?:-[O0])?)[+#]?")
_LONGEST = 200


def spaced(text: str) -> str:
    """One blank between all characters; a blank of the text becomes three."""
    return " ".join(text)


def read_fen(message: str) -> str:
    """The position in a message."""
    return message.rpartition(FEN)[2].strip()[::2]


def read_move(reply: str) -> str | None:
    """The move of a reply, without blanks, if it has the form of one in SAN."""
    if len(reply) > _LONGEST:
        return None
    said = "".join(reply.split()).strip("\"'`*.!")
    return said.replace("0", "O") if _SAN.fullmatch(said) else None
