"""lm-evaluation-harness: every game as a task of its own CLI, for every one of its model backends.

`tasks_dir` writes the task files, which name the class in `task`; importing that installs the method of `driver`.
"""
