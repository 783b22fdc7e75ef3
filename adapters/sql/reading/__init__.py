"""The read side: views and their statements."""
