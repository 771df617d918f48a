"""The threads of questions and answers, on disk in the user's own folder, shared by all editors and commands.

`records` are the values, `disk` the database, `followup` makes a question of a thread one that can be searched for,
`fresh` tells whether what was cited still stands. Must not import the engine, a session or a model.
"""
