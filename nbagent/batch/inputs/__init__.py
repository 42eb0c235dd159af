"""What a batch is asked about: rows of tables and lists as they were, each with its prompt and key."""
