"""``python -m locoexport``."""

from locoexport.cli import main

if __name__ == "__main__":
    main()
