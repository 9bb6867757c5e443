"""Names and other short texts: how they are kept, and the key under which they are found.

Kept text stays what a person wrote (a zero-width non-joiner belongs to Persian spelling); the search key forgets
everything two spellings of one name may differ in: case, accents, Arabic letter forms, joiners, punctuation.
"""

import re
import unicodedata
from typing import Final

from crm.normalisation.digits import latin_digits

ZWNJ: Final = "\u200c"
ZWJ: Final = "\u200d"
MAX_HALF_KEY: Final = 99

# Arabic yeh, alef maksura and kaf are what Arabic keyboards type for the Persian letters.
_PERSIAN_LETTERS: Final = {0x064A: "\u06cc", 0x0649: "\u06cc", 0x0643: "\u06a9"}
_INVISIBLE: Final = dict.fromkeys([0x00AD, 0x061C, 0x180E, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF])
_FOLDED_LETTERS: Final = {
    **_PERSIAN_LETTERS,
    0x0629: "\u0647",  # teh marbuta
    0x06D5: "\u0647",
    0x06C1: "\u0647",
    0x06BE: "\u0647",
    0x0671: "\u0627",  # alef wasla
    0x0621: "",  # hamza alone
    0x0640: "",  # tatweel
    0x06D2: "\u06cc",
    0x00F8: "o",
    0x0142: "l",
    0x0111: "d",
    0x00F0: "d",
    0x00FE: "th",
    0x00E6: "ae",
    0x0153: "oe",
    0x0131: "i",
    0x0127: "h",
}
_APOSTROPHES: Final = dict.fromkeys(map(ord, "'`\u00b4\u02bc\u02bb\u2018\u2019\u2032"))
_DASHES: Final = re.compile(f"{ZWNJ}+")
_BETWEEN_TAGS: Final = re.compile(r"[;,|،؛\n]")
_EDGE_JOINERS: Final = re.compile(f"(?:(?<=\\s)|^){ZWNJ}+|{ZWNJ}+(?=\\s|$)")


def clean_text(text: str) -> str:
    """``text`` as it is kept: composed, Persian ی and ک, no control or direction marks, single spaces, trimmed."""
    if text.isascii() and text.isprintable():
        return " ".join(text.split()) if "  " in text or text[:1] == " " or text[-1:] == " " else text
    text = unicodedata.normalize("NFC", text).translate(_PERSIAN_LETTERS).translate(_INVISIBLE)
    text = "".join(" " if _is_blank(char) else char for char in text if not _is_dropped(char))
    text = " ".join(text.split(" "))
    text = _DASHES.sub(ZWNJ, " ".join(text.split()))
    return unicodedata.normalize("NFC", " ".join(_EDGE_JOINERS.sub("", text).split()))


def split_tags(text: str) -> list[str]:
    """The tags between commas, semicolons, bars or line ends, each once."""
    return list(dict.fromkeys(tag for part in _BETWEEN_TAGS.split(text) if (tag := clean_text(part))))


def search_key(*texts: str) -> str:
    """The folded words of ``texts``: equal for every spelling of the same name, stable when folded again."""
    text = " ".join(filter(None, texts))
    if not text.isascii():
        text = latin_digits(text.translate(_INVISIBLE)).replace(ZWNJ, "").replace(ZWJ, "")
        for _ in range(2):  # casefolding may yield letters that decompose again
            text = unicodedata.normalize("NFKD", text).casefold().translate(_FOLDED_LETTERS)
            text = "".join(char for char in text if not unicodedata.combining(char))
        text = latin_digits(text)
    text = text.casefold().translate(_APOSTROPHES)
    return " ".join(_WORDS.findall(text))


def half_key(name: str) -> str:
    """What one half of a name gives to the search key of a customer; a letter may unfold to eighteen."""
    return search_key(name)[:MAX_HALF_KEY].rstrip()


def name_key(first: str, last: str) -> str:
    """The search key of a customer: the beginnings of both halves, so that it fits its column."""
    return " ".join(filter(None, (half_key(first), half_key(last))))


_WORDS: Final = re.compile(r"[^\W_]+")


def _is_blank(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) in ("Zs", "Zl", "Zp")


def _is_dropped(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cs", "Co", "Cn") and not char.isspace()
