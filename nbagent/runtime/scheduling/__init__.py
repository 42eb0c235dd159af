"""Who goes next: the background loop, concurrency and rate limits, queues of sessions, the main thread's work."""
