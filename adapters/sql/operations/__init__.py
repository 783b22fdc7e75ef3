"""Operations on a database: migrate, copy, back up, restore, check."""
