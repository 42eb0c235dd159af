"""What a person does with a record on Postgres now and then.

record_transfer.py  a whole record from a file to the server, or back
roles.py            the SQL of a team's roles
server_checks.py    what holds mirrors back, and whose clock is wrong
"""
