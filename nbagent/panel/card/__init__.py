"""One run as a card: its data, its widget, the same as static HTML."""
