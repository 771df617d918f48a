"""Ask questions about your code and documents, answered on your own machine."""

__version__ = "0.1.0"
