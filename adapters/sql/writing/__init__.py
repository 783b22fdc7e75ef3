"""The write side: sessions, repositories, the unit of work."""
