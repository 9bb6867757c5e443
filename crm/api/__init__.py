"""The API of customers and what they do."""
