"""Users and items on SQLite, PostgreSQL and MariaDB/MySQL, through SQLAlchemy."""
