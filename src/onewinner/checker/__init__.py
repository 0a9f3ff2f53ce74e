"""Checkers: they judge histories and know nothing of how one was made."""
