"""What every wire format that is asked over HTTP is made of; a format itself is a folder beside this one.

streamed_model.py   StreamedModel and WireFormat: a request put as its provider takes it, its answer as it comes
batches.py          jobs of many requests that a provider answers within a day, whatever its format for them
request_content.py  files, schemas, arguments and results, in the words that all of them use
"""
