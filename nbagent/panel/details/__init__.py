"""An opened run: its card over the table, and everything else that is recorded of it."""
