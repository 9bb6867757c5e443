from messaging.admin import dispatches, senders, suppressions, templates

__all__ = ["dispatches", "senders", "suppressions", "templates"]
