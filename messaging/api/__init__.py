"""The API of messages: templates, their wordings, senders."""
