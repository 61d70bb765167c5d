"""`python -m regionenum` is the command line."""

from regionenum.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
