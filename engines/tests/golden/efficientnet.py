"""Makes efficientnet_lite0.safetensors and efficientnet_lite2.safetensors: ImageNet logits of one made-up picture at
256 x 256, by a plain PyTorch program that shares nothing with the project: it reads the blocks off the weights' shapes
and pads as TensorFlow does, from the sizes it meets.

Usage, in a throw-away environment: pip install torch safetensors numpy
    python3 engines/tests/golden/efficientnet.py .deps engines/tests/golden
"""

import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

SIDE = 256
# The first block of each of the seven stages, by the number of its outputs' changes, and its stride.
STRIDES = [1, 2, 2, 2, 1, 2, 1]
REPEATS = {"lite0": [1, 2, 2, 3, 3, 4, 1], "lite2": [1, 3, 3, 4, 4, 5, 1]}


def same(x, weight, stride, groups=1):
    pads = []
    for size, kernel in [(x.shape[3], weight.shape[3]), (x.shape[2], weight.shape[2])]:
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, pads), weight, stride=stride, groups=groups)


def logits(weights, repeats):
    def norm(x, name):
        parts = [weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *parts, training=False, eps=1e-3)

    # The same picture stands in engines/tests/image_encoder.rs.
    c, y, x = torch.meshgrid(torch.arange(3), torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    disc = ((x - 100) ** 2 + (y - 140) ** 2 < 60**2).int()
    picture = ((x * (c + 1) + 2 * y) // 4 % 120 + 90 * disc + 20 * c).float()
    h = ((picture - 127) / 128)[None]
    h = norm(same(h, weights["_conv_stem.weight"], 2), "_bn0").clamp(0, 6)
    strides = [stride if i == 0 else 1 for stride, n in zip(STRIDES, repeats) for i in range(n)]
    for index, stride in enumerate(strides):
        block, start = f"_blocks.{index}", h
        if f"{block}._expand_conv.weight" in weights:
            h = norm(same(h, weights[f"{block}._expand_conv.weight"], 1), f"{block}._bn0").clamp(0, 6)
        h = same(h, weights[f"{block}._depthwise_conv.weight"], stride, groups=h.shape[1])
        h = norm(h, f"{block}._bn1").clamp(0, 6)
        h = norm(same(h, weights[f"{block}._project_conv.weight"], 1), f"{block}._bn2")
        if h.shape == start.shape and stride == 1:
            h = h + start
    h = norm(same(h, weights["_conv_head.weight"], 1), "_bn1").clamp(0, 6).mean((2, 3))
    return F.linear(h, weights["_fc.weight"], weights["_fc.bias"])[0]


deps, out = sys.argv[1:]
for name, repeats in REPEATS.items():
    found = logits(load_file(f"{deps}/efficientnet_{name}/model.safetensors"), repeats)
    print(name, found.topk(3), found.std())
    save_file({"logits": found.contiguous()}, f"{out}/efficientnet_{name}.safetensors")
