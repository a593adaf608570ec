"""What each command of `qrumb` does; cli.py names them and reads the command line."""
