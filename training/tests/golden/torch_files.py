"""Makes torch.bin and torch-legacy.bin: the same small state dictionary in PyTorch's two formats.

Usage, in a throw-away environment: pip install torch
    python3 training/tests/golden/torch_files.py training/tests/golden
"""

import collections
import sys

import torch

whole = torch.arange(24, dtype=torch.float32).reshape(4, 6)
state = collections.OrderedDict()
state["plain"] = torch.tensor([[1.5, -2.0, 3.25], [4.0, 5.0, -6.5]])
state["turned"] = torch.arange(6, dtype=torch.float32).reshape(2, 3).t()
state["shared.rows"] = whole[1:3]
state["shared.columns"] = whole[:, 2:5:2]
state["half"] = torch.tensor([0.5, -65504.0], dtype=torch.float16)
state["brain"] = torch.tensor([1.0, -3.0], dtype=torch.bfloat16)
state["steps"] = torch.tensor(12345678901, dtype=torch.int64)
state["empty"] = torch.zeros(0, 3)
state["learned"] = torch.nn.Parameter(torch.tensor([7.0]))
state._metadata = collections.OrderedDict([("", {"version": 1})])
torch.save(state, f"{sys.argv[1]}/torch.bin")
torch.save(state, f"{sys.argv[1]}/torch-legacy.bin", _use_new_zipfile_serialization=False)
