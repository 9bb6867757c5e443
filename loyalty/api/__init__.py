"""Loyalty over the API: programs, members and their points, rewards, tills."""
