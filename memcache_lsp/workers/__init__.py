"""The child processes, the model's, the index's and the refinement's, and their owners' side.

`channel` and `inside` are what a child is made of, `child` is how its owner sees it; `model`, `index` and `refine` are the
owners' interfaces, `model_child`, `index_child` and `refine_child` the programs. Must never import the store, a session or the daemon.
"""
