from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.cache import OptionalRedisCache
from tests.conftest import PASSWORD, Cast


def test_a_cache_that_is_away_is_an_empty_one(tmp_path: Path) -> None:
    away = OptionalRedisCache(f"unix://{tmp_path}/nobody.sock", {})
    away.set("key", 1)
    assert (away.get("key", 7), away.get_many(["key"]), away.add("key", 1), away.delete("key")) == (7, {}, True, False)
    assert away.set_many({"key": 1}) == []
    assert (away.has_key("key"), "key" in away, away.touch("key")) == (False, False, False)
    away.delete_many(["key"])
    with pytest.raises(ValueError, match="not found"):
        away.incr("key")
    assert away.count("key", beside="another", seconds=60) == (1, 0)


def test_people_log_in_and_work_while_the_cache_is_away(cast: Cast, settings: Any, tmp_path: Path) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": f"unix://{tmp_path}/nobody.sock"}}
    client = Client()
    response = client.post("/admin/login/", {"username": "alice@example.com", "password": PASSWORD, "next": "/customers/"})
    assert (response.status_code, response["Location"]) == (302, "/customers/")
    assert client.get("/customers/").context["user"] == cast.alice
