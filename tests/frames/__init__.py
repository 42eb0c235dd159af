"""What the frames say, against a plain count of what was written."""
