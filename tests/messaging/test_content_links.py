"""Links go by way of the counter and come out where the author, and nobody else, sent them."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messaging.content.links import LinkKind, classify, clean_address
from messaging.content.problems import MessageRejectedError, RenderError
from messaging.tracking.tokens import DeliveryRef
from tests.messaging.content_parts import READER, compiled, context, html_of, parsed, text_of

CLICK = re.compile(r"https://go\.example\.org/t/c/([\w-]+)/(\d+)/([\w-]+)")


def destinations(text: str, ref: DeliveryRef) -> list[tuple[int, str | None]]:
    """Where the clicks in a text lead, as the counter would read them."""
    found = []
    for token, index, link in CLICK.findall(text):
        assert READER.read_track(token) == ref
        found.append((int(index), READER.read_link(ref, int(index), link)))
    return found


def test_a_link_leads_where_it_did_before_in_both_parts() -> None:
    message = compiled('<a href="https://shop.example/?a=1&amp;b=2#top">Shop</a><a href="https://b.example/é">B</a>')
    mail = parsed(message.render(context(), 7))
    expected = [(0, "https://shop.example/?a=1&b=2#top"), (1, "https://b.example/%C3%A9")]
    assert destinations(html_of(mail), DeliveryRef(42, 7)) == expected
    assert destinations(text_of(mail), DeliveryRef(42, 7)) == expected
    assert [link.address for link in message.links] == ["https://shop.example/?a=1&b=2#top", "https://b.example/é"]


def test_the_same_address_twice_is_one_link() -> None:
    message = compiled('<a href="https://a.example/">1</a><a href="https://a.example/">2</a>')
    assert len(message.links) == 1
    assert destinations(html_of(parsed(message.render(context(), 7))), DeliveryRef(42, 7)) == [(0, "https://a.example/")] * 2


def test_a_personal_link_leads_to_what_was_rendered_for_that_recipient() -> None:
    message = compiled("<a href=\"https://shop.example/{{ customer.code }}?n={{ customer.name | default('x') }}&z=1\">Yours</a>")
    assert message.links[0].kind is LinkKind.PERSONAL
    mail = parsed(message.render(context(customer={"code": "A1", "name": "Bo & Co=1#x"}), 7))
    expected = [(0, "https://shop.example/A1?n=Bo%20%26%20Co%3D1%23x&z=1")]
    assert destinations(html_of(mail), DeliveryRef(42, 7)) == expected
    assert destinations(text_of(mail), DeliveryRef(42, 7)) == expected


def test_a_personal_link_is_tied_to_its_recipient() -> None:
    message = compiled('<a href="https://shop.example/{{ customer.code }}">Yours</a>')
    _token, _index, link = CLICK.findall(html_of(parsed(message.render(context(customer={"code": "A1"}), 7))))[0]
    assert READER.read_link(DeliveryRef(42, 7), 0, link) == "https://shop.example/A1"
    assert READER.read_link(DeliveryRef(42, 8), 0, link) is None
    assert READER.read_link(DeliveryRef(43, 7), 0, link) is None
    assert READER.read_link(DeliveryRef(42, 7), 1, link) is None


def test_a_whole_address_from_data_has_to_be_a_web_address() -> None:
    message = compiled('<a href="{{ location.page }}">Us</a>')
    mail = parsed(message.render(context(location={"page": "https://us.example/a b"}), 7))
    assert destinations(html_of(mail), DeliveryRef(42, 7)) == [(0, "https://us.example/a%20b")]
    for value in ("javascript:alert(1)", "//evil.example", "/path", "data:text/html,x", "https://", "ftp://a.example", "http://[x"):
        with pytest.raises(RenderError) as caught:
            message.render(context(location={"page": value}), 7)
        assert caught.value.reason == "bad_link"


def test_mail_phone_and_anchors_stay_as_they_are() -> None:
    message = compiled(
        '<a href="mailto:a@b.example?subject=x">m</a><a href="tel:+1202">t</a><a href="#top">top</a><a href="{{ unsubscribe_url }}">u</a>'
    )
    html = html_of(parsed(message.render(context(), 7)))
    assert message.links == ()
    assert re.findall(r'href="([^"]*)"', html)[:3] == ["mailto:a@b.example?subject=x", "tel:+1202", "#top"]
    assert "https://go.example.org/t/u/2a-7-" in html


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)", "JaVaScRiPt:x", "vbscript:x", "data:text/html,x", "page.html", "//evil.example", "file:///etc",
        "https://", "http:///x", "http://[bad", "https://a.example/" + "x" * 1500, "https://a.example/" + "ی" * 300,
    ],
)  # fmt: skip
def test_an_address_that_no_reader_can_follow_is_refused(address: str) -> None:
    with pytest.raises(MessageRejectedError) as caught:
        compiled(f'<a href="{address}">x</a>')
    assert [problem.code for problem in caught.value.problems] == ["bad_link"]


def test_links_in_outlook_conditions_are_counted_too() -> None:
    message = compiled('<!--[if mso]><v:roundrect xmlns:v="x" href="https://a.example/">Go</v:roundrect><![endif]-->')
    assert destinations(html_of(parsed(message.render(context(), 7))), DeliveryRef(42, 7)) == [(0, "https://a.example/")]


def test_links_in_a_loop_differ_by_what_they_loop_over() -> None:
    message = compiled('{% for v in loyalty.vouchers %}<p><a href="https://a.example/{{ v.code }}">{{ v.code }}</a></p>{% endfor %}')
    vouchers = [{"code": "A"}, {"code": "B"}]
    html = html_of(parsed(message.render(context(loyalty={"vouchers": vouchers}), 7)))
    assert destinations(html, DeliveryRef(42, 7)) == [(0, "https://a.example/A"), (0, "https://a.example/B")]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80))
def test_a_cleaned_address_is_always_one_line_of_web_address(value: str) -> None:
    for address in (value, f"https://{value}", f"https://a.example/{value}"):
        try:
            cleaned = clean_address(address)
        except RenderError as problem:
            assert problem.reason == "bad_link"  # noqa: PT017
            continue
        assert cleaned.lower().startswith(("http://", "https://"))
        assert cleaned.isascii()
        assert cleaned.isprintable()
        assert " " not in cleaned


def test_addresses_are_told_apart() -> None:
    kinds = {
        "https://a.example/": LinkKind.FIXED,
        " HTTPS://A.example": LinkKind.FIXED,
        "https://a.example/{{ x.y }}": LinkKind.PERSONAL,
        "{{ x.y }}": LinkKind.PERSONAL,
        "{{ unsubscribe_url }}": LinkKind.UNTOUCHED,
        "{{ preferences_url }}?a": LinkKind.PERSONAL,
        "sms:+1": LinkKind.UNTOUCHED,
        "": LinkKind.UNTOUCHED,
        "ftp://a": LinkKind.REFUSED,
    }
    assert {address: classify(address) for address in kinds} == kinds
