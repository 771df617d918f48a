"""What goes over the wire.

`spec` and `parts` are the types of our methods, `methods` the table of them, `codec` reads and writes them, `wire` is
the JSON of the engine's values, `generate` writes the page and the clients' definitions. All but `wire` import the
standard library and errors only, so that whoever needs a name or a check pays nothing for it. Nothing is imported here.
"""
