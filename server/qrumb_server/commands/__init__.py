"""The commands of `qrumb`, with their options; cli.py says which module has which command."""
