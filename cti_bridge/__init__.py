"""THE PROCESS: telephony in, the story of each call, the root that builds and supervises everything."""

__version__ = "0.1.0"
