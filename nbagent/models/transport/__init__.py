"""HTTP: one request, the bytes of its answer, and anything that goes wrong as a `ModelError`.

client.py            one aiohttp session for each event loop: send a request
stream.py            open_stream, fetch_json: a response read in blocks, drained, closed
coalescing.py        fewer, larger reads where many streams run
sse.py               bytes -> data payloads (stream_errors.py: those that are errors)
wire_json.py         JSON to and from a provider, also where it is not quite JSON
errors.py            a status, an exception, an error object, a reply that is none -> ModelError
error_table.py       its rows: class and sentences
error_body.py        what an error's body and headers say, keys kept out
context_errors.py    how servers say that a request is larger than the context
content_filters.py   how they say that a filter stopped it
background_tasks.py  short work that outlives its caller
"""
