"""A message compiled once renders to the very MIME source that a mail reader understands."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.channels.email.smtp_wire import wire_address
from messaging.content.frame import MessageSource, Sender
from messaging.content.message import compile_message
from messaging.content.problems import MessageRejectedError, RenderError
from messaging.content.wire import MAX_LINE_OCTETS
from messaging.tracking.tokens import DeliveryRef
from tests.messaging.content_parts import (
    FRAME,
    READER,
    SECOND,
    UNTRACKED,
    compiled,
    context,
    html_of,
    parsed,
    text_of,
)

HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "MIME-Version",
    "Content-Type",
]


def test_a_message_has_its_headers_once_and_in_order() -> None:
    wire = compiled("<p>Hi</p>").render(context(), 77)
    message = parsed(wire)
    assert list(message.keys()) == HEADERS
    assert message["From"] == "Saffron Barbers <hello@saffron.example>"
    assert message["To"] == "Alice Brown <alice@example.com>"
    assert message["Subject"] == "Hello"
    assert message["Date"].datetime == datetime.fromtimestamp(SECOND, UTC)
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_the_message_id_names_the_delivery_and_is_the_same_on_every_attempt() -> None:
    message = compiled("<p>Hi</p>")
    first = parsed(message.render(context(), 77))["Message-ID"]
    assert parsed(compiled("<p>Hi</p>").render(context(), 77))["Message-ID"] == first
    assert READER.read_message_id(first) == DeliveryRef(42, 77)
    assert parsed(message.render(context(), 78))["Message-ID"] != first


def test_persian_survives_every_part() -> None:
    message = compiled(
        "<p>سلام {{ customer.first_name }}، خوش آمدید</p>",
        "{{ customer.first_name }} عزیز، دلمان برایتان تنگ شده است",
        language="fa",
    )
    mail = parsed(message.render(context("رضا کریمی‌نژاد", customer={"first_name": "رضا"}), 5))
    assert mail["Subject"] == "رضا عزیز، دلمان برایتان تنگ شده است"
    assert mail["To"].addresses[0].display_name == "رضا کریمی‌نژاد"
    assert text_of(mail).strip() == "سلام رضا، خوش آمدید"
    assert '<html lang="fa" dir="rtl">' in html_of(mail)
    assert "سلام رضا، خوش آمدید" in html_of(mail)


def test_a_fallback_takes_the_place_of_an_absent_value() -> None:
    message = compiled('<p>Hi {{ customer.first_name | default("friend") }}</p>')
    assert text_of(parsed(message.render(context(customer={}), 1))).strip() == "Hi friend"


def test_an_absent_value_without_fallback_is_that_recipients_problem() -> None:
    message = compiled("<p>Hi {{ customer.first_name }}</p>")
    with pytest.raises(RenderError) as caught:
        message.render(context(customer={}), 1)
    assert (caught.value.reason, "customer.first_name" in caught.value.detail) == ("missing_value", True)


def test_conditions_on_absent_values_are_false_rather_than_errors() -> None:
    message = compiled(
        "{% if customer.city == 'Rome' or not customer.vip %}<p>plain</p>{% else %}<p>gold</p>{% endif %}"
        "<p>{{ 'near' if customer.city else 'far' }}</p>"
        "{% for voucher in loyalty.vouchers %}<p>{{ voucher.code }}</p>{% endfor %}"
    )
    assert text_of(parsed(message.render(context(customer={}, loyalty={}), 1))).split() == ["plain", "far"]
    rich = context(customer={"vip": True, "city": "Oslo"}, loyalty={"vouchers": [{"code": "A1"}, {"code": "B2"}]})
    assert text_of(parsed(message.render(rich, 1))).split() == ["gold", "near", "A1", "B2"]


def test_values_are_escaped_in_html_and_left_alone_in_text() -> None:
    message = compiled("<p title='{{ customer.first_name }}'>{{ customer.first_name }}</p>")
    mail = parsed(message.render(context(customer={"first_name": '<b>"O\'Neil" & co'}), 1))
    assert text_of(mail).strip() == '<b>"O\'Neil" & co'
    assert "<b>" not in html_of(mail)
    assert "&lt;b&gt;&quot;O&#x27;Neil&quot; &amp; co" in html_of(mail)


def test_rows_of_a_table_can_be_conditional_and_repeated() -> None:
    message = compiled(
        "<table>{% for item in order.items_bought %}<tr><td>{{ item.name }}</td><td>{{ item.price }}</td></tr>{% endfor %}</table>"
    )
    items = [{"name": "Cut", "price": "20"}, {"name": "Shave", "price": "15"}]
    mail = parsed(message.render(context(order={"items_bought": items}), 1))
    assert text_of(mail).strip().splitlines() == ["Cut 20", "Shave 15"]
    assert re.findall(r"<td>(.*?)</td>", html_of(mail)) == ["Cut", "20", "Shave", "15"]


def test_styles_are_inlined_and_media_queries_kept() -> None:
    message = compiled("<style>.a{color:red}@media (max-width:9px){.a{color:blue}}</style><p class='a'>Hi</p>")
    html = html_of(parsed(message.render(context(), 1)))
    assert '<p class="a" style="color: red;">' in html
    assert "@media (max-width:9px){.a{color:blue}}" in html


def test_nothing_is_fetched_for_a_linked_style_sheet() -> None:
    message = compiled('<link rel="stylesheet" href="file:///etc/passwd"><link rel="stylesheet" href="http://127.0.0.1:1/x.css"><p>Hi</p>')
    assert "stylesheet" not in html_of(parsed(message.render(context(), 1)))


def test_the_footer_says_who_where_and_the_way_out() -> None:
    mail = parsed(compiled("<p>Hi</p>{{ footer }}").render(context(), 77))
    words = text_of(mail)
    assert "Saffron Barbers\n1 Main St\nNew York" in words.replace("\r\n", "\n")
    found = re.findall(r"https://go\.example\.org/t/(u|p)/([\w-]+)", words)
    assert [(path, READER.read_manage(token)) for path, token in found] == [("u", DeliveryRef(42, 77)), ("p", DeliveryRef(42, 77))]
    header = re.fullmatch(r"<https://go\.example\.org/t/u/([\w-]+)>", mail["List-Unsubscribe"])
    assert header is not None
    assert READER.read_manage(header[1]) == DeliveryRef(42, 77)


def test_a_preview_text_comes_first_and_is_not_in_the_text_part() -> None:
    mail = parsed(compiled("<p>Hi</p>", preheader="For {{ customer.first_name }} <3").render(context(customer={"first_name": "Al"}), 1))
    assert "For Al &lt;3</div><p>Hi</p>" in html_of(mail)
    assert text_of(mail).strip() == "Hi"


def test_the_authors_own_text_part_is_used() -> None:
    mail = parsed(
        compiled("<p>Hi</p>", text="Plain {{ customer.first_name }}\n.\nFrom me").render(context(customer={"first_name": "<Al>"}), 1)
    )
    assert text_of(mail).split("\n") == ["Plain <Al>", ".", "From me"]


def test_an_untracked_message_has_neither_pixel_nor_counter() -> None:
    mail = parsed(compiled('<a href="https://shop.example/?a=1&amp;b=2">Shop</a>{{ footer }}', frame=UNTRACKED).render(context(), 0))
    assert "/t/o/" not in html_of(mail)
    assert 'href="https://shop.example/?a=1&amp;b=2"' in html_of(mail)
    assert "List-Unsubscribe" not in mail
    assert "https://go.example.org/t/u/test" in text_of(mail)


LINE_BREAKS = ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\0"]
PIECES = [*LINE_BREAKS, ",", ";", ":", '"', "\\", "<", ">", "@", "=?utf-8?q?x?=", "\u202e", " ", "{{", "%}"]
hostile = st.lists(st.one_of(st.sampled_from(PIECES), st.text(st.characters(blacklist_categories=["Cs"])))).map("".join)
HOSTILE = compiled("<p>{{ customer.first_name }}</p>", "Dear {{ customer.first_name }}, hello", preheader="{{ customer.first_name }}")


@settings(max_examples=150, deadline=None)
@given(name=hostile, first_name=hostile)
def test_no_name_can_add_a_header_or_a_part(name: str, first_name: str) -> None:
    wire = HOSTILE.render(
        context(name + "\r\nBcc: victim@example.com", customer={"first_name": first_name + "\r\nBcc: v@example.com\r\n\r\n--x"}), 9
    )
    mail = parsed(wire)
    assert list(mail.keys()) == HEADERS
    assert [(box.username, box.domain) for box in mail["To"].addresses] == [("alice", "example.com")]
    assert len(list(mail.iter_parts())) == 2
    assert mail.defects == []
    assert wire.count(b"\r\n") == wire.count(b"\n") == wire.count(b"\r")
    assert b"\0" not in wire
    assert max(map(len, wire.split(b"\r\n"))) <= MAX_LINE_OCTETS


@settings(max_examples=100, deadline=None)
@given(subject=st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp", "Cf", "Cn", "Co"]), max_size=200))
def test_any_subject_reads_back_as_it_was_written(subject: str) -> None:
    message = compiled("<p>Hi</p>", "{{ customer.subject }}")
    wire = message.render(context(customer={"subject": subject}), 1)
    assert parsed(wire)["Subject"].split() == subject.split()
    head = wire.split(b"\r\n\r\n")[0]
    assert head.isascii()
    assert all(len(line) <= 120 for line in head.split(b"\r\n"))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "alice",
        "a@b\r\nBcc: x@y.z",
        "a b@example.com",
        "a@example.com, b@example.com",
        "<a@example.com>",
        "a@exa mple.com",
        "é@example.com",
    ],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(RenderError) as caught:
        HOSTILE.render(context(address=address, customer={"first_name": "A"}), 1)
    assert caught.value.reason == "bad_address"


@pytest.mark.parametrize(
    ("domain", "ascii_domain"), [("münchen.example", "xn--mnchen-3ya.example"), ("straße.example", "xn--strae-oqa.example")]
)
def test_an_international_domain_leaves_as_ascii(domain: str, ascii_domain: str) -> None:
    mail = parsed(HOSTILE.render(context(address=f"a@{domain}", customer={"first_name": "A"}), 1))
    assert mail["To"].addresses[0].domain == ascii_domain
    assert wire_address(f"a@{domain}")[0].decode() == f"a@{ascii_domain}"


def test_long_lines_are_broken_or_encoded() -> None:
    words = "word " * 1_000
    message = compiled(f"<p>{words}</p><p>{{{{ customer.note }}}}</p>")
    wire = message.render(context(customer={"note": "short"}), 1)
    assert b"Content-Transfer-Encoding: 8bit" in wire
    assert max(map(len, wire.split(b"\r\n"))) <= MAX_LINE_OCTETS
    assert text_of(parsed(wire)).split()[:1000] == ["word"] * 1_000
    wire = message.render(context(customer={"note": "۱" * 3_000}), 1)
    assert b"Content-Transfer-Encoding: base64" in wire
    assert max(map(len, wire.split(b"\r\n"))) <= MAX_LINE_OCTETS
    assert "۱" * 3_000 in html_of(parsed(wire))
    assert "۱" * 3_000 in text_of(parsed(wire))


def test_a_server_without_eight_bit_mail_gets_the_same_words() -> None:
    message = compiled("<p>سلام {{ customer.first_name }}</p>")
    eight, seven = (render(context(customer={"first_name": "رضا"}), 3) for render in (message.render, message.render_seven_bit))
    assert seven.isascii()
    assert text_of(parsed(seven)).strip() == text_of(parsed(eight)).strip() == "سلام رضا"
    assert html_of(parsed(seven)) == html_of(parsed(eight))


def test_whitespace_control_cannot_reach_the_headers() -> None:
    mail = parsed(
        compiled("{{- customer.first_name -}}", "{{- customer.first_name -}}", text="{{- customer.first_name -}}").render(
            context(customer={"first_name": "Al"}), 1
        )
    )
    assert list(mail.keys()) == HEADERS
    assert (mail["Subject"], text_of(mail).strip()) == ("Al", "Al")


def test_braces_that_are_no_tags_are_printed() -> None:
    message = compiled("<p>{</p>{% raw %}<p>{{ x }} {% if %}</p>{% endraw %}", "{ {% raw %}{{ y }}{% endraw %}")
    mail = parsed(message.render(context(), 1))
    assert mail["Subject"] == "{ {{ y }}"
    assert text_of(mail).split() == ["{", "{{", "x", "}}", "{%", "if", "%}"]


def test_output_cannot_grow_without_bound() -> None:
    message = compiled("{% for a in list.one %}{% for b in list.one %}{% for c in list.one %}<p>x</p>{% endfor %}{% endfor %}{% endfor %}")
    with pytest.raises(RenderError) as caught:
        message.render(context(list={"one": list(range(1_000))}), 1)
    assert caught.value.reason == "template_too_slow"


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(MessageRejectedError) as caught:
        compile_message(MessageSource("{{ a b }}", "<p>{% set x = 1 %}</p>\n{{ open"), FRAME)
    assert [(p.code, p.part.value, p.line) for p in caught.value.problems] == [
        ("syntax", "subject", 1),
        ("syntax", "html", 2),
        ("statement", "html", 1),
    ]


@pytest.mark.realdata
def test_real_newsletters_compile_and_keep_their_words(shared_data: Path) -> None:
    for name in ("email.html", "email-inlined.html"):
        source = (shared_data / "email_templates" / "leemunroe" / name).read_text(encoding="utf-8")
        message = compiled(source.replace("Hi there", "Hi {{ customer.first_name }}"))
        wire = message.render(context(customer={"first_name": "سارا"}), 12)
        mail = parsed(wire)
        assert "Hi سارا" in text_of(mail)
        assert "Hi سارا" in html_of(mail)
        assert len(message.links) > 0
        assert not re.search(r'<a [^>]*href="http(?!s://go\.example\.org/)', html_of(mail))
        assert max(map(len, wire.split(b"\r\n"))) <= MAX_LINE_OCTETS


def test_linked_style_sheets_and_other_charsets_are_left_out_and_nothing_else() -> None:
    head = (
        '<head><META http-equiv="Content-Type" content="text/html; CharSet=iso-8859-1"><meta name="viewport" content="x">'
        '<LINK rel="StyleSheet" href="a.css"><link rel="icon" href="https://a.example/i.png"></head>'
    )
    document = html_of(parsed(compiled(f"<html>{head}<body><p>Hi</p></body></html>").render(context(), 7)))
    assert re.findall(r"<(?:meta|link) [^>]*>", document) == [
        '<meta charset="utf-8">', '<meta name="viewport" content="x">', '<link rel="icon" href="https://a.example/i.png">',
    ]  # fmt: skip


def test_a_condition_on_the_own_addresses_is_always_true() -> None:
    source = '{% if unsubscribe_url %}<a href="{{ unsubscribe_url }}">Out</a>{% else %}none{% endif %}{% if preferences_url is defined %}yes{% endif %}'
    message = compiled(source)
    assert not message.variables & {"unsubscribe_url", "preferences_url"}
    mail = parsed(message.render(context(), 7))
    assert html_of(mail).count("https://go.example.org/t/u/2a-7-") == 1
    assert "none" not in text_of(mail)
    assert "yes" in text_of(mail)


def test_a_sender_on_an_international_domain_is_written_in_ascii() -> None:
    wire = compiled("<p>x</p>", frame=replace(FRAME, sender=Sender("hello@خانه.ir"))).render(context(), 7)
    head = wire.split(b"\r\n\r\n")[0]
    assert head.isascii()
    assert head.count(b"@xn--mgbn7ee.ir>") == 2


def test_a_sender_without_an_address_is_told_as_a_problem_of_the_message() -> None:
    with pytest.raises(MessageRejectedError) as caught:
        compiled("<p>x</p>", frame=replace(FRAME, sender=Sender("")))
    assert [(problem.code, problem.part.value) for problem in caught.value.problems] == [("bad_address", "message")]
