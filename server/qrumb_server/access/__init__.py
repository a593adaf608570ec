"""Who may come in, and how much: sites, their keys, the origins of their pages, and their quotas.

Rules without I/O, except for `registry.py`, which reads sites.toml anew when it changes. `rpc/access.py` applies them
to calls.
"""
