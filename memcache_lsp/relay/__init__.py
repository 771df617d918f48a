"""What the front knows of the stream it relays: where frames end, and what a new daemon has to be told.

Pure. Must not import anything beyond the standard library but `session.positions`, and that one only when needed.
"""
