"""Turns that transactions take, where no row stands for what they would be in each other's way about."""

from django.db import connection


def take_turn(name: str) -> None:
    """Wait until nobody else has the turn of this name, and keep it until the end of the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
