"""HTTP: one request, the bytes of its answer, and anything that goes wrong as a `ModelError`."""
