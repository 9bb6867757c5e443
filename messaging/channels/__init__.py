"""Ways to reach a person: one small package per channel, one interface for all."""
