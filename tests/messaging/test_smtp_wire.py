"""Reading and writing SMTP, without a socket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.channels.email.smtp_wire import (
    AddressRefusedError,
    Capabilities,
    Reply,
    ReplyReader,
    WireError,
    auth_steps,
    envelope,
    stuffed,
    wire_address,
)


def unstuffed(wire: bytes) -> bytes:
    """What a server makes of it."""
    assert wire.endswith(b".\r\n")
    lines = wire[:-3].split(b"\r\n")
    return b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines)


def test_replies_are_cut_wherever_the_network_cuts_them() -> None:
    stream = b"250-one\r\n250-two\r\n250 three\r\n354 go\r\n"
    for cut in range(len(stream)):
        reader = ReplyReader()
        replies = reader.feed(stream[:cut]) + reader.feed(stream[cut:])
        assert [Reply.parse(reply) for reply in replies] == [Reply(250, "one two three"), Reply(354, "go")]
        assert not reader.pending


def test_enhanced_status_is_read_from_the_first_line() -> None:
    assert Reply.parse(b"550-5.1.1 No such user\n550 5.1.1 here\r") == Reply(550, "5.1.1 No such user 5.1.1 here", "5.1.1")
    assert Reply.parse(b"250 fine\r").enhanced == ""
    assert Reply.parse(b"250\r") == Reply(250, "")


@pytest.mark.parametrize("noise", [b"HTTP/1.1 400 Bad\r\n", b"25\r\n", b"\r\n", b"\xff\xfe\r\n"])
def test_what_is_no_reply_is_refused(noise: bytes) -> None:
    with pytest.raises(WireError):
        ReplyReader().feed(noise)


def test_a_server_cannot_fill_our_memory() -> None:
    for noise in (b"x" * 100_000, b"250-more\r\n" * 20_000):
        reader = ReplyReader()
        with pytest.raises(WireError):
            reader.feed(noise)


def test_capabilities_are_read_in_any_case_and_old_style() -> None:
    raw = b"250-mail.example.com\n250-pipelining\n250-SIZE 10240000\n250-AUTH=LOGIN PLAIN\n250-AUTH CRAM-MD5\n250 8BITMIME"
    assert Capabilities.parse(raw) == Capabilities(
        pipelining=True, eight_bit=True, size=10_240_000, auth=frozenset({"LOGIN", "PLAIN", "CRAM-MD5"})
    )


def test_login_prefers_plain_and_falls_back() -> None:
    assert auth_steps("u", "p", {"LOGIN", "PLAIN"}) == [b"AUTH PLAIN AHUAcA==\r\n"]
    assert auth_steps("u", "p", {"LOGIN"}) == [b"AUTH LOGIN\r\n", b"dQ==\r\n", b"cA==\r\n"]
    with pytest.raises(WireError):
        auth_steps("u", "p", {"GSSAPI"})


def test_addresses_of_the_world() -> None:
    assert wire_address("a@example.com") == (b"a@example.com", False)
    assert wire_address("a@bücher.example") == (b"a@xn--bcher-kva.example", False)
    assert wire_address("علی@example.com") == ("علی@example.com".encode(), True)


@pytest.mark.parametrize("address", ["", "a b@example.com", "a@example.com>\r\nRCPT TO:<b@x", "a\x00@b", "<a@b>", "a@exa\nmple.com"])
def test_addresses_that_could_smuggle_a_command_are_refused(address: str) -> None:
    with pytest.raises(AddressRefusedError):
        wire_address(address)


def test_envelope_ends_with_data_and_resets_first_when_asked() -> None:
    assert envelope(b"s@x", b"r@y", eight_bit=True, utf8=True, reset=True) == [
        b"RSET\r\n",
        b"MAIL FROM:<s@x> BODY=8BITMIME SMTPUTF8\r\n",
        b"RCPT TO:<r@y>\r\n",
        b"DATA\r\n",
    ]
    assert envelope(b"", b"r@y", eight_bit=False, utf8=False, reset=False)[0] == b"MAIL FROM:<>\r\n"


def test_dots_are_doubled_and_the_end_is_marked() -> None:
    assert stuffed(b".a\r\n..b\r\nc.\r\n") == b"..a\r\n...b\r\nc.\r\n.\r\n"
    assert stuffed(b"no newline") == b"no newline\r\n.\r\n"
    assert stuffed(b"") == b".\r\n"


def test_a_message_cannot_end_itself() -> None:
    assert stuffed(b"a\n.\nMAIL FROM:<x>\r.\rb") == b"a\r\n..\r\nMAIL FROM:<x>\r\n..\r\nb\r\n.\r\n"


@given(st.binary(max_size=200).map(lambda data: data.replace(b"\r", b"").replace(b"\n", b"\r\n")))
def test_what_arrives_is_what_was_written(body: bytes) -> None:
    wire = stuffed(body)
    assert wire.find(b"\r\n.\r\n") in (-1, len(wire) - 5)
    whole = body if body.endswith(b"\r\n") or not body else body + b"\r\n"
    assert unstuffed(wire) == whole


@given(st.binary(max_size=200))
def test_nothing_leaves_with_bare_line_ends(body: bytes) -> None:
    wire = stuffed(body)
    assert wire.replace(b"\r\n", b"").count(b"\n") == 0
    assert wire.replace(b"\r\n", b"").count(b"\r") == 0
