"""A message compiled once into one template of its whole MIME source, rendered for each recipient."""

from __future__ import annotations

import html
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from typing import Any

from minijinja import Environment, TemplateError

from messaging.content.expressions import soften_conditions
from messaging.content.footer import expand_footer
from messaging.content.frame import MessageFrame, MessageSource
from messaging.content.grammar import Kind, Piece, check_grammar, protect, read_pieces
from messaging.content.headers import encode_mailbox, encode_text
from messaging.content.links import MAX_LINKS, OWN_ADDRESSES, Link, LinkKind, LinkRewriter, address_source, clean_address
from messaging.content.markup import Marks, check_depth, finish_document, hide_tags, inline_styles, insert_in_body
from messaging.content.problems import MessageRejectedError, Part, Problem, RenderError, errors_of
from messaging.content.sandbox import build_environment, render_problem, syntax_problem, variables_in
from messaging.content.text import derive_text, mark_text, tidy_text
from messaging.content.wire import break_long_lines, has_long_line, is_plain, mend, needs_mending, to_seven_bit

RECIPIENT = "recipient"
MAX_WIRE_OCTETS = 1_000_000
_NAME = "message"
_OWN_ADDRESS = re.compile(r"\{\{[-+]?\s*(" + "|".join(OWN_ADDRESSES) + r")\s*[-+]?\}\}")


@dataclass(frozen=True, slots=True)
class CompiledMessage:
    """One template for everything that goes over the wire; safe to share between threads."""

    links: tuple[Link, ...]
    variables: frozenset[str]
    boundary: bytes
    template: str
    _own_addresses: tuple[tuple[str, str], ...]
    _plain_template: bool
    _environment: Environment
    _frame: MessageFrame
    _clock: Callable[[], float]

    def render(self, context: Mapping[str, Any], delivery_id: int) -> bytes:
        """The MIME source for one recipient, CRLF line ends, 8-bit UTF-8.

        `context` holds plain dictionaries by namespace, with absent values left out, and
        `recipient` with `address` and `name`.

        Raises:
            RenderError: this recipient's message cannot be made; says why.
        """
        recipient = context[RECIPIENT]
        tokens = self._frame.signer.sign(delivery_id)
        try:
            text = self._environment.render_template(
                _NAME,
                _to=encode_mailbox(recipient.get("name", ""), recipient["address"]),
                _date=_format_date(int(self._clock())),
                _track=tokens.track,
                _manage=tokens.manage,
                _id=tokens.message_id,
                _delivery=delivery_id,
                **{name: address + tokens.manage for name, address in self._own_addresses},
                **context,
            )
        except TemplateError as error:
            raise _problem_of(error) from error
        wire = text.encode("utf-8", "replace")
        if len(wire) > MAX_WIRE_OCTETS:
            raise RenderError("too_large", f"{len(wire)} octets")
        plain = self._plain_template and is_plain(context)
        if has_long_line(wire) if plain else needs_mending(wire):
            return mend(wire, self.boundary)
        return wire

    def render_seven_bit(self, context: Mapping[str, Any], delivery_id: int) -> bytes:
        """The same for a server that does not take 8-bit mail: parts in base64."""
        return to_seven_bit(self.render(context, delivery_id), self.boundary)


def compile_message(source: MessageSource, frame: MessageFrame, *, clock: Callable[[], float] = time.time) -> CompiledMessage:
    """Compile a message, or raise MessageRejectedError with everything that is wrong with it."""
    problems = check_sources(source)
    if errors_of(problems):
        raise MessageRejectedError(problems)
    compiler = _Compiler(source, frame)
    try:
        template, links = compiler.build()
    except RenderError as error:  # the sender's own address, which is every recipient's trouble
        raise MessageRejectedError([Problem(error.reason, error.detail, Part.MESSAGE)]) from error
    tags = [piece.text for piece in read_pieces(template) if piece.kind is not Kind.LITERAL]
    environment = build_environment(len(tags), {"_subject": encode_text, "_link": compiler.link_filter})
    try:
        environment.add_template(_NAME, template)
    except TemplateError as error:
        text = error.detail or error.message
        raise MessageRejectedError([Problem("syntax", text, Part.MESSAGE)]) from error
    names = {name for name in variables_in(template) if not name.startswith("_")}
    return CompiledMessage(
        links=tuple(links),
        variables=frozenset(names - set(OWN_ADDRESSES)),
        boundary=compiler.boundary.encode(),
        template=template,
        # Printed as they are; conditions ask for them too.
        _own_addresses=tuple((name, f"{frame.base_url}/t/{path}/") for name, path in OWN_ADDRESSES.items() if name in names),
        # A string in a tag may print a line end that no value brought in.
        _plain_template=not any(mark in tag for tag in tags for mark in "\\\n\r"),
        _environment=environment,
        _frame=frame,
        _clock=clock,
    )


def check_sources(source: MessageSource) -> list[Problem]:
    """Grammar and syntax of every part; what compiling insists on."""
    problems: list[Problem] = []
    parts = {
        Part.SUBJECT: source.subject,
        Part.PREHEADER: source.preheader,
        Part.HTML: source.html,
        Part.TEXT: source.text,
    }
    for part, text in parts.items():
        found = check_grammar(text, part)
        # The engine's parser is only shown what the grammar let through: it has no stack guard.
        syntax = None if found else syntax_problem(text, part)
        problems.extend([*found, syntax] if syntax else found)
    return problems


class _Compiler:
    """Carries one message from its parts to the single template."""

    def __init__(self, source: MessageSource, frame: MessageFrame) -> None:
        self.source = source
        self.frame = frame
        self.marks = Marks()
        self.boundary = f"=_{secrets.token_hex(16)}"
        self.links: list[Link] = []
        self.tracked: dict[str, str] = {}
        # Each personal link is printed twice, in the text and in the HTML.
        self.link_filter = lru_cache(maxsize=512)(self._personal_link)

    def build(self) -> tuple[str, list[Link]]:
        """The template source and the tracked links."""
        document, words = self._parts()
        html_source = self._finish(document, in_html=True)
        text_source = self._finish(words, in_html=False)
        head = "\r\n".join(self._header_lines())
        part = "\r\n--{b}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        return (
            f"{head}\r\n"
            + part.format(b=self.boundary, kind="plain")
            + "{% autoescape false %}"
            + text_source
            + "{% endautoescape %}"
            + part.format(b=self.boundary, kind="html")
            + "{% autoescape true %}"
            + html_source
            + "{% endautoescape %}"
            + f"\r\n--{self.boundary}--\r\n",
            self.links,
        )

    def _parts(self) -> tuple[str, str]:
        """HTML and text, both with template tags and tracked links behind marks."""
        source, language = self.source, self.source.language
        body = expand_footer(source.html, self.frame.branding, language, in_html=True)
        hidden, problems = hide_tags(body, self.marks)
        check_depth(hidden)
        document = finish_document(inline_styles(hidden), language)
        tracked: dict[str, str] = {}
        document = LinkRewriter(self.marks, self.links, problems, tracked).rewrite(document)
        if len(self.links) > MAX_LINKS:
            problems.append(Problem("too_many_links", f"> {MAX_LINKS}", Part.HTML))
        if problems:
            raise MessageRejectedError(problems)
        if source.text.strip():
            own = expand_footer(source.text, self.frame.branding, language, in_html=False)
            words = tidy_text(mark_text(own, self.marks), self.marks)
        else:
            words = derive_text(document, self.marks)
        self.tracked = tracked
        self._resolve_own_addresses()
        return self._with_preheader_and_pixel(document), words

    def _resolve_own_addresses(self) -> None:
        """Print the unsubscribe and preference pages' addresses, signed for the recipient."""
        manage = "{{ _manage }}" if self.frame.tracked else "test"
        for number, replacement in enumerate(self.marks.replacements):
            match = _OWN_ADDRESS.fullmatch(replacement)
            if match:
                path = OWN_ADDRESSES[match[1]]
                self.marks.replacements[number] = f"{self.frame.base_url}/t/{path}/{manage}"

    def _with_preheader_and_pixel(self, document: str) -> str:
        first = ""
        if self.source.preheader.strip():
            words = "".join(self._preheader_piece(piece) for piece in read_pieces(self.source.preheader))
            style = "display:none;max-height:0;overflow:hidden;mso-hide:all"
            first = f'<div style="{style}">{words}</div>'
        last = ""
        if self.frame.tracked:
            address = f"{self.frame.base_url}/t/o/{self.marks.add('{{ _track }}')}"
            last = f'<img src="{address}" width="1" height="1" alt="" style="display:block;border:0">'
        return insert_in_body(document, first=first, last=last)

    def _preheader_piece(self, piece: Piece) -> str:
        if piece.kind is Kind.LITERAL:
            return html.escape(piece.text)
        return self.marks.add(soften_conditions(piece), statement=piece.kind is Kind.STATEMENT)

    def _resolve_links(self, *, in_html: bool) -> None:
        """Give each link's mark the template source that prints its address."""
        for link in self.links:
            match = self.marks.pattern.fullmatch(self.tracked[link.address])
            assert match is not None
            self.marks.replacements[int(match[1])] = self._link_source(link, in_html=in_html)

    def _link_source(self, link: Link, *, in_html: bool) -> str:
        if link.kind is LinkKind.FIXED and not self.frame.tracked:
            address = clean_address(link.address)
            return protect(html.escape(address) if in_html else address)
        if link.kind is LinkKind.FIXED:
            signed = self.frame.signer.sign_link(link.index, clean_address(link.address))
            return f"{self.frame.base_url}/t/c/{{{{ _track }}}}/{link.index}/{signed}"
        inner = "{% autoescape false %}" + address_source(link.address) + "{% endautoescape %}"
        escape = "true" if in_html else "false"
        filtered = f"{{% filter _link(_track, _delivery, {link.index}, {escape}) %}}{inner}{{% endfilter %}}"
        return "{% autoescape false %}" + filtered + "{% endautoescape %}"

    def _personal_link(self, address: str, track: str, delivery_id: int, index: int, escape: bool) -> str:
        """Called by the engine: the click address for a link that holds the recipient's data."""
        cleaned = clean_address(address)
        if not self.frame.tracked:
            return html.escape(cleaned) if escape else cleaned
        signed = self.frame.signer.sign_link(index, cleaned, delivery_id)
        return f"{self.frame.base_url}/t/c/{track}/{index}/{signed}"

    def _finish(self, text: str, *, in_html: bool) -> str:
        self._resolve_links(in_html=in_html)
        text = break_long_lines(self.marks.uncomment(text), html=in_html)
        return self.marks.restore(text)

    def _header_lines(self) -> list[str]:
        sender = self.frame.sender
        lines = [
            "From: " + encode_mailbox(sender.name, sender.address),
            "To: {{ _to }}",
            "Subject: " + self._subject(),
            "Date: {{ _date }}",
            f"Message-ID: <{{{{ _id }}}}@{self.frame.domain}>",
        ]
        if sender.reply_to:
            lines.append("Reply-To: " + encode_mailbox("", sender.reply_to))
        if self.frame.unsubscribable and self.frame.tracked:
            lines.append(f"List-Unsubscribe: <{self.frame.base_url}/t/u/{{{{ _manage }}}}>")
            lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
        lines.append("MIME-Version: 1.0")
        lines.append(f'Content-Type: multipart/alternative; boundary="{self.boundary}"')
        return lines

    def _subject(self) -> str:
        pieces = read_pieces(self.source.subject)
        if all(piece.kind is Kind.LITERAL for piece in pieces):
            return encode_text("".join(piece.text for piece in pieces)).replace("{", '{{ "{" }}')
        marks = Marks()
        source = marks.restore(mark_text(self.source.subject, marks))
        return "{% filter _subject %}{% autoescape false %}" + source + "{% endautoescape %}{% endfilter %}"


def _problem_of(error: TemplateError) -> RenderError:
    """A problem that one of our own filters raised inside the engine, or the engine's."""
    cause = error.__cause__
    return cause if isinstance(cause, RenderError) else render_problem(error)


_dates: dict[int, str] = {}


def _format_date(second: int) -> str:
    """The Date field; formatted once a second rather than once a message."""
    text = _dates.get(second)
    if text is None:
        text = formatdate(second).replace("-0000", "+0000")
        _dates.clear()
        _dates[second] = text
    return text
