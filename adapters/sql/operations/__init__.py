"""What an operator does with a database: migrate, copy, back up, restore, check."""
