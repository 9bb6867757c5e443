"""What happens because something happened: one table from event kind to its handlers, in order.

A handler is an action that takes the events of one kind; it must bear seeing a batch again.
"""

from collections.abc import Callable, Sequence

from crm.models import Event

Handler = Callable[[Sequence[Event]], None]
REACTIONS: dict[str, tuple[Handler, ...]] = {}
