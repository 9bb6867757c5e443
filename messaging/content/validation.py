"""Everything an author should hear about a message before it is sent."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as default_policy
from typing import Any, Protocol

from django.utils.translation import gettext as _

from messaging.content.branches import surely_prints, without_comments
from messaging.content.footer import FOOTER_TAG
from messaging.content.frame import Branding, MessageFrame, MessageSource, Sender
from messaging.content.grammar import Kind, Piece, read_pieces, read_tokens
from messaging.content.links import OWN_ADDRESSES
from messaging.content.message import RECIPIENT, check_sources, compile_message
from messaging.content.problems import MessageRejectedError, Part, Problem, RenderError, Severity, errors_of
from messaging.content.sandbox import variables_in
from messaging.tracking.tokens import TokenSigner

MAX_HTML_CHARACTERS = 300_000
MAX_TEXT_CHARACTERS = 100_000
MAX_SUBJECT_CHARACTERS = 250
# A common reader cuts messages off here; images and links after it are never seen.
CLIPPED_OCTETS = 102_000
_ACTIVE = re.compile(r"<\s*(script|iframe|object|embed|form|base)\b", re.IGNORECASE)
_RELATIVE_IMAGE = re.compile(r"<img\b[^<>]*\bsrc\s*=\s*[\"'](?!https?:|data:|cid:|\{)([^\"']*)", re.IGNORECASE)
_TRIAL_URL = "https://example.org"


class KnownVariable(Protocol):
    """What validation has to know of a variable (see messaging.variables)."""

    @property
    def sample(self) -> Any: ...

    @property
    def always(self) -> bool: ...


def validate_message(
    source: MessageSource, known: Mapping[str, KnownVariable], *, unsubscribable: bool = True, postal_address: str = "-"
) -> list[Problem]:
    """All problems of a message, errors first; empty means it can be sent.

    `known` is every variable the organization has, by dotted name. `unsubscribable` messages must
    offer the way out and say where the sender is. `postal_address` is the organization's own.
    """
    problems = list(_check_sizes(source))
    if errors_of(problems):
        return problems
    problems = [*problems, *check_sources(source)]
    if not errors_of(problems):
        problems.extend(_check_variables(source, known))
        problems.extend(_check_duties(source, postal_address, unsubscribable=unsubscribable))
        problems.extend(_check_markup(source))
    if not errors_of(problems):
        problems.extend(_try_out(source, known, unsubscribable=unsubscribable))
    return sorted(problems, key=lambda problem: problem.severity is not Severity.ERROR)


def _parts(source: MessageSource) -> dict[Part, str]:
    return {
        Part.SUBJECT: source.subject,
        Part.PREHEADER: source.preheader,
        Part.HTML: source.html,
        Part.TEXT: source.text,
    }


def _check_sizes(source: MessageSource) -> Iterator[Problem]:
    limits = {
        Part.SUBJECT: MAX_SUBJECT_CHARACTERS,
        Part.PREHEADER: MAX_SUBJECT_CHARACTERS,
        Part.HTML: MAX_HTML_CHARACTERS,
        Part.TEXT: MAX_TEXT_CHARACTERS,
    }
    for part, text in _parts(source).items():
        if len(text) > limits[part]:
            message = _("This part has %(size)s characters; at most %(limit)s can be sent.")
            yield Problem("too_large", message % {"size": len(text), "limit": limits[part]}, part)
    if not source.subject.strip():
        yield Problem("empty", _("The subject is empty."), Part.SUBJECT)
    if not without_comments(source.html).strip():
        yield Problem("empty", _("The message is empty."), Part.HTML)


def _check_variables(source: MessageSource, known: Mapping[str, KnownVariable]) -> Iterator[Problem]:
    for part, text in _parts(source).items():
        names = variables_in(FOOTER_TAG.sub("", text))
        if part in {Part.HTML, Part.TEXT}:
            names -= set(OWN_ADDRESSES)
        for name in sorted(names - set(known)):
            yield _unknown_variable(name, part, text, known)
        for piece in _without_fallback(text, known):
            name = _path(piece)
            message = _("“%(name)s” may be empty, and then nothing is sent; give it a fallback: %(example)s")
            example = "{{ " + name + ' | default("…") }}'
            values = {"name": name, "example": example}
            yield Problem("no_fallback", message % values, part, piece.line, name, Severity.WARNING)


def _unknown_variable(name: str, part: Part, text: str, known: Mapping[str, KnownVariable]) -> Problem:
    similar = difflib.get_close_matches(name, known, n=1)
    message = _("There is no variable “%(name)s”.") % {"name": name}
    if similar:
        message = _("There is no variable “%(name)s”; do you mean “%(similar)s”?") % {"name": name, "similar": similar[0]}
    pattern = re.compile(r"(?<![\w.])" + re.escape(name) + r"(?!\w)")
    line = next((p.line for p in read_pieces(text) if p.kind is not Kind.LITERAL and pattern.search(p.inner)), None)
    return Problem("unknown_variable", message, part, line, name)


def _without_fallback(text: str, known: Mapping[str, KnownVariable]) -> Iterator[Piece]:
    """Output of values that may be absent, with neither a fallback nor a condition around it."""
    conditions: list[str] = []
    for piece in read_pieces(text):
        if piece.kind is Kind.STATEMENT:
            if piece.word in {"if", "for"}:
                conditions.append(piece.inner)
            elif piece.word == "elif" and conditions:
                conditions[-1] += " " + piece.inner
            elif piece.word.startswith("end") and conditions:
                conditions.pop()
        elif piece.kind is Kind.OUTPUT:
            name = _path(piece)
            guarded = any(name in condition for condition in conditions) or _has_fallback(piece)
            if name in known and not known[name].always and not guarded:
                yield piece


def _has_fallback(piece: Piece) -> bool:
    """Whether an absent value is replaced before any other filter is given it."""
    words = [token.text for token in read_tokens(piece.inner)]
    after_path = words[2 * _path(piece).count(".") + 1 :]
    return "if" in words or (after_path[:1] == ["|"] and after_path[1:2] in (["default"], ["d"]))


def _path(piece: Piece) -> str:
    match = re.match(r"[A-Za-z_][\w.]*", piece.inner)
    return match[0] if match else ""


def _check_duties(source: MessageSource, postal_address: str, *, unsubscribable: bool) -> Iterator[Problem]:
    if not unsubscribable:
        return
    parts = {Part.HTML: without_comments(source.html)} | ({Part.TEXT: source.text} if source.text.strip() else {})
    for part, text in parts.items():
        if not surely_prints(text, {"unsubscribe_url", "footer"}):
            yield _missing_unsubscribe(part)
        inner = {piece.inner for piece in read_pieces(text) if piece.kind is Kind.OUTPUT}
        if not any("organization.postal_address" in words for words in inner) and "footer" not in inner:
            message = _("There is no postal address; add {{ footer }} or {{ organization.postal_address }}.")
            yield Problem("missing_postal_address", message, part, severity=Severity.WARNING)
    if not postal_address.strip():
        message = _("The organization has no postal address yet; the law asks for one in every marketing message.")
        yield Problem("no_postal_address", message, Part.MESSAGE, severity=Severity.WARNING)


def _missing_unsubscribe(part: Part) -> Problem:
    message = _("There is no unsubscribe link that everybody gets; add {{ footer }} or {{ unsubscribe_url }}, outside of conditions.")
    return Problem("missing_unsubscribe", message, part)


def _check_markup(source: MessageSource) -> Iterator[Problem]:
    for match in _ACTIVE.finditer(source.html):
        message = _("<%(name)s> cannot be used in a message.") % {"name": match[1].lower()}
        line = source.html.count("\n", 0, match.start()) + 1
        yield Problem("active_content", message, Part.HTML, line, match[1].lower())
    for match in _RELATIVE_IMAGE.finditer(source.html):
        message = _("The picture “%(name)s” needs its whole address, starting with https://.") % {"name": match[1][:80]}
        line = source.html.count("\n", 0, match.start()) + 1
        yield Problem("relative_image", message, Part.HTML, line, match[1][:80], Severity.WARNING)


def _try_out(source: MessageSource, known: Mapping[str, KnownVariable], *, unsubscribable: bool) -> Iterator[Problem]:
    """Compile it and render it for nobody in particular."""
    signer = TokenSigner(1, bytes(32))
    frame = MessageFrame(Sender("sender@example.org"), Branding("-", "-"), _TRIAL_URL, signer)
    try:
        compiled = compile_message(source, frame)
        wire = compiled.render(sample_context(known), 1)
    except MessageRejectedError as rejected:
        yield from rejected.problems
        return
    except RenderError as problem:
        message = _("It cannot be rendered: %(detail)s") % {"detail": problem.detail}
        yield Problem(problem.reason, message, Part.MESSAGE)
        return
    if unsubscribable:
        yield from map(_missing_unsubscribe, _parts_without_way_out(wire))
    if len(wire) > CLIPPED_OCTETS:
        message = _("At %(size)s kB some readers cut the message off.") % {"size": len(wire) // 1000}
        yield Problem("clipped", message, Part.MESSAGE, severity=Severity.WARNING)


def _parts_without_way_out(wire: bytes) -> Iterator[Part]:
    """Parts of a rendered message whose readers see no address of the unsubscribe page."""
    message: EmailMessage = message_from_bytes(wire, policy=default_policy)
    for part, kind in ((Part.HTML, "html"), (Part.TEXT, "plain")):
        body = message.get_body((kind,))
        words = str(body.get_content()) if body is not None else ""
        seen = without_comments(words[max(0, words.find("<body")) :]) if part is Part.HTML else words
        if f"{_TRIAL_URL}/t/u/" not in seen:
            yield part


def sample_context(known: Mapping[str, KnownVariable]) -> dict[str, Any]:
    """A context in which every known variable has its sample value."""
    context: dict[str, Any] = {RECIPIENT: {"name": "Sample", "address": "sample@example.org"}}
    for name, variable in known.items():
        namespace, _dot, rest = name.partition(".")
        context.setdefault(namespace, {})[rest] = variable.sample
    return context
