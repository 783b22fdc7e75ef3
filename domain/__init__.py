"""What a user and an item are, and what may never be. Standard library only."""
