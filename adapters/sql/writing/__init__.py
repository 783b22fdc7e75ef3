"""The write side: sessions, repositories and the unit of work."""
