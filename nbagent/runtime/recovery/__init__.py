"""What lets a run outlive its process: rows on their way to the store, and attempts that begin from them."""
