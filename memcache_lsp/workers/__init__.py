"""The two child processes, the model's and the index's, and their owners' side.

`channel` and `inside` are what a child is made of, `child` is how its owner sees it; `model` and `index` are the owners'
interfaces, `model_child` and `index_child` the programs. Must never import the store, a session or the daemon.
"""
