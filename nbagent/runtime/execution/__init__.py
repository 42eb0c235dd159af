"""One unfinished run: its task, its place in the run tree, its history, its listeners."""
