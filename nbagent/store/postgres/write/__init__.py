"""What is written to the server: commands as operations, their transactions, and what waits while the server is away."""
