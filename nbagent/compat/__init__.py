"""Other systems' words over nbagent's public API: their scripts run with nothing changed but the import lines.

agno.py  `from nbagent.compat.agno import Agent, Team, OpenAIChat, ...`
"""
