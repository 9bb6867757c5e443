"""The shared cache, which is never load-bearing: while Valkey is away it is an empty one."""

import logging
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.redis import RedisCache
from django.utils.functional import cached_property
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


class OptionalRedisCache(RedisCache):
    """Django's Redis cache that answers like an empty cache when the server cannot be reached."""

    def get(self, *args: Any, **kwargs: Any) -> Any:
        default = args[1] if len(args) > 1 else kwargs.get("default")
        return _or_else(default, super().get, *args, **kwargs)

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        return _or_else({}, super().get_many, *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        _or_else(None, super().set, *args, **kwargs)

    def set_many(self, *args: Any, **kwargs: Any) -> Any:
        return _or_else([], super().set_many, *args, **kwargs)

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return bool(_or_else(True, super().add, *args, **kwargs))

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return bool(_or_else(False, super().delete, *args, **kwargs))

    def delete_many(self, *args: Any, **kwargs: Any) -> None:
        _or_else(None, super().delete_many, *args, **kwargs)

    def has_key(self, *args: Any, **kwargs: Any) -> bool:
        return bool(_or_else(False, super().has_key, *args, **kwargs))

    def touch(self, *args: Any, **kwargs: Any) -> bool:
        return bool(_or_else(False, super().touch, *args, **kwargs))

    def incr(self, key: str, *args: Any, **kwargs: Any) -> int:
        counted = _or_else(None, super().incr, key, *args, **kwargs)
        if counted is None:
            raise ValueError(f"Key '{key}' not found")  # as an empty cache does
        return int(counted)

    def count(self, key: str, *, beside: str, seconds: int) -> tuple[int, int]:
        """Count one more under a key that is forgotten so many seconds later, and read what stands beside, in one round trip."""
        pipeline = self._counting.pipeline(transaction=False)
        pipeline.incr(self.make_key(key)).expire(self.make_key(key), seconds).get(self.make_key(beside))
        counted, _expires, before = _or_else((1, True, None), pipeline.execute)
        return int(counted), int(before or 0)

    @cached_property
    def _counting(self) -> Any:
        return self._cache.get_client(write=True)


def _or_else(answer: Any, ask: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return ask(*args, **kwargs)
    except (RedisError, OSError) as error:
        logger.warning("the cache cannot be reached: %s", error)
        return answer
