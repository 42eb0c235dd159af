"""Small things that every room may use: JSON, secrets, hints, threads, text for terminals."""
