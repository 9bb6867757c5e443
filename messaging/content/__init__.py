"""What a message says: templates checked, compiled once and rendered for each recipient."""
