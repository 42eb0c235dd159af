"""Completion of `%agent` lines: where the cursor is, and which values fit there."""
