"""Makes minilm.safetensors: the last hidden states of all-MiniLM-L6-v2 for three prompts, by Hugging Face's own code.

Usage, in a throw-away environment: pip install torch transformers safetensors
    python3 engines/tests/golden/minilm.py .deps/minilm engines/tests/golden/minilm.safetensors
"""

import sys

import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

# The same three stand in engines/tests/text_encoder.rs.
PROMPTS = [
    "polyp",
    "A small sessile polyp, near the wall of the colon.",
    "one medium sized, round and reddish polyp in the upper left of the picture, partly hidden behind a fold of "
    "the mucosa, with several bright reflections of the lamp on its surface",
]

folder, out = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
tokens = tokenizer(PROMPTS, padding="max_length", truncation=True, max_length=24, return_tensors="pt")
print(tokens["input_ids"])
with torch.no_grad():
    features = model(**tokens).last_hidden_state
save_file({"last_hidden_state": features.contiguous()}, out, metadata={"model": "all-MiniLM-L6-v2"})
print(features.shape, features.abs().max())
