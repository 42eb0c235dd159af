"""Model calls: how many at a time and in a minute, and as many as the provider takes.

limiter.py        ConcurrencyLimiter, one a kernel, and RunGate, one run's view of it: futures and timers
budgets.py        who may go: the kernel's, a model's, a server's and a batch's budgets, one in another
pace.py           the rate of a model's calls while its provider refuses some
rate_window.py    requests and tokens in the last minute
server_limits.py  how many requests a server takes at a time

All but `limiter.py` are decisions on a clock that is handed in.
"""
