"""Batches for workers: recorded with all of their rows where they are launched, asked by the worker that has them.

stored_rows.py  rows as the record keeps them until they are asked, and back
place_batch.py  the launch: what may go, and its rows in the record
feeder.py       a worker takes up a batch, and asks its rows while it is the worker's own
feed_runner.py  what asks them: it knows what was answered, and goes on with what was under way
"""
