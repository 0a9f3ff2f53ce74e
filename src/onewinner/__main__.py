"""`python -m onewinner`: the command line without its script."""

from onewinner.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
