"""The demo's loyalty program: opened two months ago, with what has been earned in it since."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import batched
