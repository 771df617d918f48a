"""What goes over the wire: the one specification of our methods (`spec`), the JSON of engine values (`wire`).

`spec` and `codec` import the standard library and errors only, so that whoever needs a name or a check pays nothing
for it. Nothing is imported here.
"""
