"""A batch at work: the rows in flight, how many and how fast, the provider's own batch API."""
