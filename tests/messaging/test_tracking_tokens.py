"""Tokens name a delivery to whoever has the key, and nothing to anybody else."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.tracking.tokens import DeliveryRef, TokenReader, TokenSigner, derive_key

KEY, OLD = derive_key("new secret"), derive_key("old secret")
READER = TokenReader([KEY, OLD])
ids = st.integers(min_value=1, max_value=2**63 - 1)


@given(organization=ids, delivery=ids)
def test_what_was_signed_reads_back(organization: int, delivery: int) -> None:
    tokens = TokenSigner(organization, KEY).sign(delivery)
    ref = DeliveryRef(organization, delivery)
    assert READER.read_track(tokens.track) == ref
    assert READER.read_manage(tokens.manage) == ref
    assert READER.read_message_id(f"<{tokens.message_id}@saffron.example>") == ref


@given(organization=ids, delivery=ids)
def test_a_token_has_one_purpose(organization: int, delivery: int) -> None:
    tokens = TokenSigner(organization, KEY).sign(delivery)
    assert READER.read_manage(tokens.track) is None
    assert READER.read_track(tokens.manage) is None


def test_tokens_of_an_older_key_still_read_and_those_of_a_stranger_do_not() -> None:
    assert READER.read_track(TokenSigner(42, OLD).sign(7).track) == DeliveryRef(42, 7)
    assert READER.read_track(TokenSigner(42, derive_key("stranger")).sign(7).track) is None


@given(st.text(max_size=60))
def test_noise_is_no_token(noise: str) -> None:
    assert READER.read_track(noise) is None
    assert READER.read_manage(noise) is None
    assert READER.read_message_id(noise) is None
    assert READER.read_link(DeliveryRef(1, 1), 0, noise) is None


@given(position=st.integers(0, 25), replacement=st.characters())
def test_changing_any_character_breaks_a_token(position: int, replacement: str) -> None:
    token = TokenSigner(0x2A1, KEY).sign(0xF42400).track
    changed = token[:position] + replacement + token[position + 1 :]
    assert READER.read_track(changed) == (DeliveryRef(0x2A1, 0xF42400) if changed == token else None)


@pytest.mark.parametrize("change", ["{}=", "{}\n", " {}", "0{}", "{}A"])
def test_a_token_has_one_spelling(change: str) -> None:
    assert READER.read_track(change.format(TokenSigner(42, KEY).sign(7).track)) is None


def test_the_fast_signature_is_a_true_hmac() -> None:
    digest = hmac.digest(KEY, b"d-2a-7", "sha256")
    assert TokenSigner(42, KEY).sign(7).message_id == f"2a.7.{digest[24:].hex()}"


@given(address=st.text(max_size=300), index=st.integers(0, 999))
def test_a_link_leads_only_where_it_was_signed_to(address: str, index: int) -> None:
    signer = TokenSigner(42, KEY)
    ref = DeliveryRef(42, 7)
    address = "https://a.example/" + address.encode("utf-8", "replace").decode()
    for bound in (0, 7):
        link = signer.sign_link(index, address, bound)
        assert READER.read_link(ref, index, link) == address
        assert READER.read_link(ref, index + 1, link) is None
        assert READER.read_link(DeliveryRef(43, 7), index, link) is None
        assert READER.read_link(ref, index, link[:16] + "aHR0cHM6Ly9ldmls") is None
    assert READER.read_link(DeliveryRef(42, 8), index, signer.sign_link(index, address, 7)) is None
    assert READER.read_link(DeliveryRef(42, 8), index, signer.sign_link(index, address)) == address
