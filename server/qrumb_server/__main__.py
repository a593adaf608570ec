"""`python -m qrumb_server` is `qrumb`."""

from qrumb_server.cli import main

if __name__ == "__main__":
    main()
