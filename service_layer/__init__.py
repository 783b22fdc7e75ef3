"""What can be done with users and items: one function a use case, and the ports it needs."""
