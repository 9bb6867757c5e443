"""Writes of messaging that people and providers cause; sending has a room of its own."""
