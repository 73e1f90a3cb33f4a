"""The REST API of a running plant: seen, changed, and asked what its meters did.

It needs the extra ``web``; nothing of that is imported before somebody wants an API (`metersim.api.app`).
"""
