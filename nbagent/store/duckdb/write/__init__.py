"""The writer thread, what waits for it, its transactions, the numbers of turns."""
