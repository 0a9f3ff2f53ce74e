"""What runs inside the child processes: it imports little, for every child pays for it."""
