"""The kinds of task, a record each."""
