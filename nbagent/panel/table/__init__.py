"""All runs as a table: its model, its rows, its widget, the same as static HTML and text."""
