"""Header fields that cannot be broken out of, whatever is printed into them."""

from __future__ import annotations

import re
from base64 import b64encode

import idna

from messaging.content.problems import RenderError

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*")
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]{1,64}@[A-Za-z0-9\-.]{1,253}")
_CONTROL = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
# Direction marks that would let a name rearrange the line it is shown in.
_OVERRIDES = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_WORD_OCTETS = 45  # 60 characters of base64: with its frame an encoded word stays under 75
_FOLD_AT = 76
_MAX_CHARACTERS = 500


def encode_text(value: str, *, used: int = len("Subject: ")) -> str:
    """Unstructured header text: one line of words as it is, anything else as encoded words."""
    text = _one_line(value)[:_MAX_CHARACTERS]
    if text.isascii() and "=?" not in text:
        return text if len(text) + used <= _FOLD_AT else _fold(text, used)
    return _encoded_words(text)


def encode_mailbox(name: str, address: str) -> str:
    """A display name with its address, for From, To and Reply-To."""
    address = check_address(address)
    text = _one_line(name)[:120]
    if not text:
        return f"<{address}>"
    if not text.isascii() or "=?" in text:
        return f"{_encoded_words(text)} <{address}>"
    if _ATOMS.fullmatch(text):
        return f"{text} <{address}>"
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{address}>'


def check_address(address: str) -> str:
    """The address if it can stand in an envelope and a header; an international domain as ASCII."""
    if _ADDRESS.fullmatch(address):
        return address
    local, at, domain = address.rpartition("@")
    if at and not domain.isascii():
        try:
            address = f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
        except UnicodeError:
            raise RenderError("bad_address", f"not an e-mail address: {address[:100]!r}") from None
    if not _ADDRESS.fullmatch(address):
        raise RenderError("bad_address", f"not an e-mail address: {address[:100]!r}")
    return address


def _one_line(value: str) -> str:
    if value.isascii() and value.isprintable():
        return value.strip()
    return _CONTROL.sub(" ", _OVERRIDES.sub("", value)).strip()


def _fold(text: str, used: int) -> str:
    """Lines broken at blanks; a word longer than a line is encoded, since it cannot be broken."""
    if max(map(len, text.split(" "))) > _FOLD_AT - 2:
        return _encoded_words(text)
    lines: list[str] = []
    line, room = "", _FOLD_AT - used
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line, room = word, _FOLD_AT - 1
        else:
            line = f"{line} {word}" if line else word
    return "\r\n ".join([*lines, line])


def _encoded_words(text: str) -> str:
    """RFC 2047 words of at most 75 characters, never cut within a character."""
    whole = text.encode("utf-8", "replace")
    if len(whole) <= _WORD_OCTETS:
        return f"=?utf-8?b?{b64encode(whole).decode('ascii')}?="
    words: list[str] = []
    chunk, size = "", 0
    for character in text:
        octets = len(character.encode("utf-8", "replace"))
        if size + octets > _WORD_OCTETS:
            words.append(chunk)
            chunk, size = "", 0
        chunk += character
        size += octets
    words.append(chunk)
    encoded = (b64encode(word.encode("utf-8", "replace")).decode("ascii") for word in words)
    return "\r\n ".join(f"=?utf-8?b?{word}?=" for word in encoded)
