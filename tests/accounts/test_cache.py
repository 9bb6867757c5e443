from pathlib import Path

from accounts.cache import OptionalRedisCache


def test_a_cache_that_is_away_is_an_empty_one(tmp_path: Path) -> None:
    away = OptionalRedisCache(f"unix://{tmp_path}/nobody.sock", {})
    away.set("key", 1)
    assert (away.get("key", 7), away.get_many(["key"]), away.add("key", 1), away.delete("key")) == (7, {}, True, False)
    assert away.set_many({"key": 1}) == []
    assert away.count("key", beside="another", seconds=60) == (1, 0)
