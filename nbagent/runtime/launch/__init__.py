"""From a person's request to a run: the request as data, many at once, what it would cost, an earlier answer."""
