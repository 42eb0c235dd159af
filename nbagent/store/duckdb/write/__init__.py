"""The writer thread, what waits for it, its transactions, and the journal of launches."""
