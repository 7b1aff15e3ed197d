"""Networks from other frameworks and to them.

torch.py          from_torch, to_torch, load_torch
onnx.py           from_onnx, to_onnx
sklearn.py        from_sklearn

A framework is imported when one of these functions is called, never before.
"""
