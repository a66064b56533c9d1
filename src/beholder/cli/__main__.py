"""``python -m beholder.cli``: the command line, of this interpreter."""

from beholder.cli import main

if __name__ == "__main__":
    main()
