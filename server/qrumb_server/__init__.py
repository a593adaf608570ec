"""The qrumb service: takes events in, keeps them, writes them to ClickHouse."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("qrumb-server")
