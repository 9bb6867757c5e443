"""Whatever an author writes is either compiled and rendered, or refused with problems; nothing else comes out."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.content.frame import MessageSource
from messaging.content.message import compile_message
from messaging.content.problems import MessageRejectedError, RenderError
from messaging.content.validation import validate_message
from messaging.content.wire import MAX_LINE_OCTETS
from tests.messaging.content_parts import FRAME, context, parsed
from tests.messaging.test_content_message import HEADERS
from tests.messaging.test_content_validation import KNOWN

FRAGMENTS = [
    "{{", "}}", "{%", "%}", "{#", "#}", "{{ customer.first_name }}", "{{- customer.first_name -}}", "{{ customer.first_name | default('x') }}",
    "{% if customer.first_name %}", "{% elif customer.vip %}", "{% else %}", "{% endif %}", "{% for x in loyalty.vouchers %}", "{{ x.code }}",
    "{% endfor %}", "{% raw %}", "{% endraw %}", "{{ footer }}", "{{ unsubscribe_url }}", "{{ '}}' }}", '{{ "\\n" }}', "{{ 1 if x else 2 }}",
    "<p>", "</p>", "<table>", "<tr>", "<td>", "</table>", "<style>", "p{color:red}", "</style>", "<!--", "-->", "<a href=\"", "<a href='", "\"", "'",
    ">", "<", "</a>", "https://a.example/", "javascript:", "mailto:x@y.z", "<html>", "<head>", "<body>", "</body>", "</html>", "<title>", "<img src=x>",
    "&amp;", "&", "\r\n", "\n", "\r", "\0", "\u2028", " ", "text", "سلام", "😀", "zq", "{", "}", "<pre>", "<textarea>", "<script>", "<svg>", "<math>",
]  # fmt: skip
sources = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5)), max_size=25).map("".join)
VALUES: dict[str, Any] = {"customer": {"first_name": "Al\r\n<b>"}, "loyalty": {"vouchers": [{"code": "A&B"}]}}


@settings(max_examples=150, deadline=None)
@given(html=sources, subject=sources, text=sources)
def test_any_source_is_compiled_or_refused(html: str, subject: str, text: str) -> None:
    try:
        message = compile_message(MessageSource(subject, html, text), FRAME)
        wire = message.render(context(**VALUES), 7)
    except (MessageRejectedError, RenderError):
        return
    mail = parsed(wire)
    assert list(mail.keys()) == HEADERS
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert max(map(len, wire.split(b"\r\n"))) <= MAX_LINE_OCTETS
    assert wire.count(b"\r\n") == wire.count(b"\n") == wire.count(b"\r")


@settings(max_examples=60, deadline=None)
@given(html=sources, subject=sources, text=sources)
def test_any_source_can_be_validated(html: str, subject: str, text: str) -> None:
    for problem in validate_message(MessageSource(subject, html, text), KNOWN):
        assert problem.message
        assert problem.line is None or problem.line >= 1
