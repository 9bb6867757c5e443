from datetime import datetime, timedelta

# The clocks of tills are not ours: one that runs a day ahead is forgiven.
CLOCK_AHEAD = timedelta(days=1)


def lies_ahead(moment: datetime, now: datetime) -> bool:
    """Whether what is said to have happened then cannot have happened yet."""
    return moment > now + CLOCK_AHEAD
