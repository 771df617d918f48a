"""Writers of what is generated from the specification: the page and the clients' definitions, one module each.

All are pure: the same specification gives the same text. Nothing is imported here.
"""
