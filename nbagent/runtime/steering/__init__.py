"""Messages that a person sends to a run on the way.

inbox.py    those of one live run, until its model has them
send.py     `run.send`: to a live run, or through the store to one of another kernel
"""
