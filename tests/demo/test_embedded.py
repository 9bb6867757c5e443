"""The embedded servers suit the machine they find."""

from pathlib import Path

import pytest

from config.embedded.postgres import buffers_mb


@pytest.mark.parametrize(
    ("said", "expected"), [("8589934592\n", 1024), ("536870912", 128), ("max\n", buffers_mb(())), ("9223372036854771712", buffers_mb(()))]
)
def test_the_database_takes_an_eighth_of_what_its_container_may_use(tmp_path: Path, said: str, expected: int) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(said)
    assert buffers_mb((limit, tmp_path / "of-another-system")) == min(expected, buffers_mb(()))


def test_the_database_takes_no_more_than_the_import_of_a_million_customers_can_use() -> None:
    assert 128 <= buffers_mb(()) <= 2048
