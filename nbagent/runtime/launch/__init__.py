"""From a person's request to a run.

request.py       LaunchRequest, plain data; ResolvedAgent, a spec with its model; the checks before a launch
prompt_names.py  what the variables of a template stood for at a launch
forecast.py      what a launch would send and cost
cache_key.py     the key of an answer
cache_lookup.py  an earlier answer in place of a model's
"""
