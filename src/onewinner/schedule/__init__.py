"""Controlled schedules: a call is held at a point, a rival is let in, and the call goes on."""
