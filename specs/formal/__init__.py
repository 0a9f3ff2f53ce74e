"""What the scripts in `specs/` share: running TLC, reading its traces, driving real stores."""
