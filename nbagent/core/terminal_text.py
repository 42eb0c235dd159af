"""Text that others wrote, as a terminal or an output cell may show it. Pure; any thread.

A model, a server or a tool can write sequences that move the cursor, rename the window, put text onto the
clipboard or answer for the user. What is printed goes through here; what is kept stays as it came.
"""

from __future__ import annotations

import re

_SEQUENCES = re.compile(
    r"(?:\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # strings: OSC, DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, the cursor, modes
    r"|\x1b[ -/]*[0-~]?"  # other escapes
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_OPEN = re.compile(
    r"(?:\x1b(?:[P\]X^_][^\x07\x1b\x9c]*\x1b?|\[[0-?]*[ -/]*|[ -/]*)?|[\x90\x98\x9d-\x9f][^\x07\x1b\x9c]*\x1b?|\x9b[0-?]*[ -/]*)\Z"
)
_OPEN_MAX = 10_000  # characters of a sequence that does not end


def printable(text: str) -> str:
    """Return `text` without control sequences and control characters, tabs and line ends apart.

    A carriage return becomes a line end where it is part of one, and is dropped elsewhere: it would write
    over the line.
    """
    if text.isprintable():
        return text
    return _CONTROLS.sub("", _SEQUENCES.sub("", text.replace("\r\n", "\n")))


_UNSEEN = re.compile(  # characters that are letters, marks or symbols by their category, and show nothing
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)


def escaped(text: str) -> str:
    """Return `text` with all that is invisible, or turns what stands beside it, written out as `repr` does.

    Line ends and tabs stay. What a person reads before agreeing goes through here.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if _is_seen(letter) else _written_out(letter) for letter in text)


def _is_seen(letter: str) -> bool:
    return letter in "\n\t" or (letter.isprintable() and not _UNSEEN.match(letter))


def _written_out(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode()


class PrintablePieces:
    """The same for text that comes in pieces: a sequence that is cut between two of them is one all the same."""

    def __init__(self) -> None:
        self._open = ""

    def take(self, piece: str) -> str:
        """Return what of the text can be printed by now."""
        text, self._open = self._open + piece, ""
        cut = _OPEN.search(text)
        if cut is not None and len(text) - cut.start() < _OPEN_MAX:
            text, self._open = text[: cut.start()], text[cut.start() :]
        return printable(text)
