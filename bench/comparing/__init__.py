"""The parts of the retrieval benchmark: its questions, a module for each system that answers them, and what is printed.

Must not be imported by the package.
"""
