"""What the benches of the language server are made of: a home of their own, an editor, projects, figures, the parts.

Must not be imported by anything but `bench/`.
"""
