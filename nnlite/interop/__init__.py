"""Networks from other frameworks and to them.

torch.py          from_torch, to_torch, load_torch

A framework is imported when one of these functions is called, never before.
"""
