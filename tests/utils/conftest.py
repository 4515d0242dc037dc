"""The web server of these tests."""

from file_server import file_server, homes

__all__ = ["file_server", "homes"]
