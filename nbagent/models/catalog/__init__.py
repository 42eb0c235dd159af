"""The providers known by name, a row each, with the address and date of the documentation that it is from.

makers.py  who make the models that they serve
hosts.py   who serve the models of others, and clouds
local.py   servers on your own machine, the demo model
table.py   all of them in one table; rows that users and packages add
"""
