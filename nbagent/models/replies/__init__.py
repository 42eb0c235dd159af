"""What every wire format's reply is read with; pure.

finish_reasons.py  the words that servers end a reply with (end_errors.py: those that are errors)
usage.py           a usage object -> Usage
call_ids.py        ids of tool calls, where a server gives none or one twice
think_tags.py      reasoning in tags inside the text
lenient.py         fields of another type than they should have
"""
