"""Judge the search on a user's own project: questions made of its doc comments and commits, answers scored.

`comments` finds doc comments and blanks them, `history` reads commits, `questions` makes questions of both, `metrics`
scores; these know no index. `trial` puts them together over an index of its own.
"""
