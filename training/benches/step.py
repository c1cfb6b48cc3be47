"""The same training step in eager PyTorch, beside `polyp-train bench-step`: pictures per second of forward, backward,
AdamW and the weights' average, on random pictures. Nothing is learned. That both have as many parameters is checked;
that the Rust network computes what it should is a matter of the parity tests.

Both sides run in turn, in this order, and each prints medians. Give the tool the very libtorch of PyTorch:

    pip install torch==2.11.0 numpy
    python3 training/benches/step.py --tool target/release/polyp-train --config configs/training/lite.toml
"""

import argparse
import os
import statistics
import subprocess
import time
import tomllib

import torch
import torch.nn as nn
import torch.nn.functional as F

STAGES = [(3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6)]
SIZES = {
    "efficientnet-lite0": ([1, 2, 2, 3, 3, 4, 1], [16, 24, 40, 80, 112, 192, 320]),
    "efficientnet-lite1": ([1, 3, 3, 4, 4, 5, 1], [16, 24, 40, 80, 112, 192, 320]),
    "efficientnet-lite2": ([1, 3, 3, 4, 4, 5, 1], [16, 24, 48, 88, 120, 208, 352]),
}
TAPS = [1, 2, 4, 6]


class ConvNorm(nn.Module):
    """Depthwise convolutions and norms stay in float32, as in the trainer; the dense ones are autocast's."""

    def __init__(self, width, out, kernel, stride, depthwise):
        super().__init__()
        total = kernel - stride
        self.pad = None if stride == 1 else (total // 2, total - total // 2, total // 2, total - total // 2)
        padding = kernel // 2 if stride == 1 else 0
        groups = width if depthwise else 1
        self.conv = nn.Conv2d(width, out, kernel, stride, padding, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(out, eps=1e-3, momentum=0.01)
        self.depthwise = depthwise

    def forward(self, x):
        if self.pad:
            x = F.pad(x, self.pad)
        if self.depthwise:
            with torch.autocast("cpu", enabled=False):
                return self.norm(self.conv(x.float()))
        return self.norm(self.conv(x))


class Block(nn.Module):
    def __init__(self, width, out, kernel, stride, expansion):
        super().__init__()
        wide = width * expansion
        self.expand = ConvNorm(width, wide, 1, 1, False) if expansion != 1 else None
        self.depthwise = ConvNorm(wide, wide, kernel, stride, True)
        self.project = ConvNorm(wide, out, 1, 1, False)
        self.residual = stride == 1 and width == out

    def forward(self, x):
        y = F.relu6(self.expand(x)) if self.expand else x
        y = self.project(F.relu6(self.depthwise(y)))
        return y + x if self.residual else y


class Encoder(nn.Module):
    def __init__(self, name):
        super().__init__()
        repeats, widths = SIZES[name]
        self.stem = ConvNorm(3, 32, 3, 2, False)
        self.blocks, self.taps, width = nn.ModuleList(), set(), 32
        for stage, ((kernel, stride, expansion), count, out) in enumerate(zip(STAGES, repeats, widths)):
            for repeat in range(count):
                self.blocks.append(Block(width, out, kernel, stride if repeat == 0 else 1, expansion))
                width = out
            if stage in TAPS:
                self.taps.add(len(self.blocks) - 1)

    def forward(self, x):
        x, taps = F.relu6(self.stem(x)), []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.taps:
                taps.append(x)
        return taps


def positions(tokens, width):
    angle = torch.arange(tokens)[:, None] / 10000 ** (torch.arange(width) // 2 * 2 / width)
    return torch.where(torch.arange(width) % 2 == 0, angle.sin(), angle.cos()).float()


class SsMix(nn.Module):
    def __init__(self, width, tokens):
        super().__init__()
        inner, self.rank = width // 2, -(-width // 16)
        self.in_proj = nn.Linear(width, width, bias=False)
        self.conv_x = nn.Conv1d(inner, inner, 4, groups=inner, bias=False)
        self.conv_z = nn.Conv1d(inner, inner, 4, groups=inner, bias=False)
        self.select = nn.Linear(inner, self.rank + 32, bias=False)
        self.step = nn.Linear(self.rank, inner)
        self.a_log = nn.Parameter(torch.arange(1.0, 17).log().repeat(inner, 1))
        self.d = nn.Parameter(torch.ones(inner))
        self.tokens = nn.Linear(24, tokens, bias=False)

    def forward(self, x):
        x, z = self.in_proj(x).chunk(2, -1)
        turn = lambda conv, t: torch.tanh(conv(F.pad(t.transpose(1, 2), (1, 2))).transpose(1, 2))
        x, z = turn(self.conv_x, x), turn(self.conv_z, z)
        low, b, c = self.select(x).split([self.rank, 16, 16], -1)
        step, a = F.softplus(self.step(low) + self.step.bias), -self.a_log.exp()
        state, seen = 0.0, []
        for t in range(x.shape[1]):
            dt = step[:, t, :, None]
            state = (dt * a).exp() * state + dt * b[:, t, None] * x[:, t, :, None]
            seen.append((state * c[:, t, None]).sum(-1) + self.d * x[:, t])
        y = torch.cat([torch.stack(seen, 1), z], -1)
        return self.tokens(y.transpose(1, 2)).transpose(1, 2)


class Level(nn.Module):
    def __init__(self, text, width, skip, out, tokens):
        super().__init__()
        self.text, self.mixer = nn.Linear(text, width), SsMix(width, tokens)
        self.key, self.value = nn.Linear(width, width), nn.Linear(width, width)
        self.self_in, self.self_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.self_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.query_norm, self.key_norm = nn.LayerNorm(width // 4), nn.LayerNorm(width // 4)
        self.cross_in, self.cross_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.cross_query, self.cross_out = nn.Linear(width, width), nn.Linear(width, width)
        self.alpha = nn.Parameter(torch.tensor([1.421]))
        self.up = nn.ConvTranspose2d(width, out, 2, 2, bias=False)
        self.convs = nn.ModuleList(nn.Conv2d(c, out, 3, 1, 1, bias=False) for c in (out + skip, out))
        self.norms = nn.ModuleList(nn.BatchNorm2d(out) for _ in range(2))

    def remember(self, text):
        with torch.autocast("cpu", enabled=False):
            t = F.gelu(self.mixer(F.leaky_relu(self.text(text))))
            return self.key(t + positions(t.shape[1], t.shape[2])), self.value(t)

    def forward(self, x, skip, memory):
        batch, width, rows, columns = x.shape
        heads = lambda t: t.reshape(t.shape[0], t.shape[1], 4, -1).transpose(1, 2)
        join = lambda t: t.transpose(1, 2).flatten(2)
        place = positions(rows * columns, width)
        tokens = x.flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.self_in(tokens) + place).chunk(3, -1)
        q, k, v = self.query_norm(heads(q)), self.key_norm(heads(k)), heads(v)
        y = join(F.scaled_dot_product_attention(q.to(v.dtype), k.to(v.dtype), v))
        y = tokens + self.self_norm(F.dropout(self.self_out(y), 0.1))
        q = heads(self.cross_query(self.cross_in(y) + place))
        k, v = (heads(t.to(q.dtype)).expand(batch, -1, -1, -1) for t in memory)
        y = y + self.alpha * self.cross_norm(self.cross_out(join(F.scaled_dot_product_attention(q, k, v))))
        x = y.reshape(batch, rows, columns, width).permute(0, 3, 1, 2)
        x = self.up(x)
        x = torch.cat([x, skip.to(x.dtype)], 1)
        for conv, norm in zip(self.convs, self.norms):
            x = F.leaky_relu(norm(conv(x)))
        return x


class Network(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.encoder = Encoder(model["encoder"])
        taps = [SIZES[model["encoder"]][1][stage] for stage in TAPS]
        outs = model["decoder_widths"]
        shapes = zip([taps[3], *outs[:2]], [taps[2], taps[1], taps[0]], outs, [24, 12, 9])
        self.levels = nn.ModuleList(Level(model["text_width"], *shape) for shape in shapes)
        self.spread, self.last = nn.Conv2d(outs[2], outs[2] * 4, 3, 1, 1), nn.Conv2d(outs[2] // 4, 1, 1)

    def forward(self, image, text):
        memories = [level.remember(text) for level in self.levels]
        *skips, x = self.encoder(image)
        for level, memory in zip(self.levels, memories):
            x = level(x, skips.pop(), memory)
        y = F.conv2d(F.pixel_shuffle(self.spread(x), 4), self.last.weight)
        mean = lambda t: F.avg_pool2d(F.pad(t, (3, 0, 3, 0)), 4, 1)
        return mean(y) / mean(torch.ones_like(y[:1])) + self.last.bias


def seu(logits, truth):
    p = logits.sigmoid()
    both, each = (p * truth).flatten(1).sum(1), p.flatten(1).sum(1) + truth.flatten(1).sum(1)
    dice = 1 - ((2 * both + 1e-6) / (each + 1e-6)).mean()
    weights = torch.full((truth.shape[-1] // 2 + 1,), 2.0)
    weights[0] = weights[-1] = 1.0
    spectrum = lambda x: torch.fft.rfft2(x, norm="ortho").abs()
    spectral = ((spectrum(p) - spectrum(truth)).square() * weights).sum() / truth.numel()
    return dice + 0.3 * spectral - 0.1 * (p * (p + 1e-8).log()).mean()


def eager(config, side, batch, steps, said):
    network = Network(config["model"]).train()
    parameters = sum(p.numel() for p in network.parameters())
    if f", {parameters} parameters," not in said:
        raise SystemExit(f"expected the same network on both sides, found {parameters} parameters here, there: {said}")
    encoder = network.encoder
    parts = {"encoder._conv_stem.": encoder.stem.conv, "encoder._bn0.": encoder.stem.norm}
    parts |= {f"encoder._blocks.{index}.": block for index, block in enumerate(encoder.blocks)}
    for start in config.get("frozen", []):
        parts[start].requires_grad_(False)
    learns = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in learns if p.dim() > 1], "weight_decay": config["weight_decay"]},
        {"params": [p for p in learns if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=1e-3)
    state = [t for t in [*network.parameters(), *network.buffers()] if t.is_floating_point()]
    averaged = [t.detach().clone() for t in state]
    pictures = torch.randint(0, 256, (batch, side, side, 3), dtype=torch.uint8)
    truth = (torch.rand(batch, 1, side, side) < 0.2).float()
    text, times = torch.randn(1, 24, config["model"]["text_width"]), []
    bf16 = config.get("precision") == "bf16"
    for step in range(steps + 2):
        started = time.perf_counter()
        image = ((pictures.float() - 127) / 128).permute(0, 3, 1, 2)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(image, text)
        loss = seu(logits.float(), truth)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learns, 1.0)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(averaged, [t.detach() for t in state], 0.002)
        loss.item()
        if step >= 2:
            times.append(time.perf_counter() - started)
    return batch / statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True, help="the program polyp-train")
    parser.add_argument("--config", required=True, help="a training configuration (TOML)")
    parser.add_argument("--side", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with open(given.config, "rb") as file:
        config = tomllib.load(file)
    side, batch = given.side or config["model"]["side_px"], given.batch or config["batch"]
    threads = config.get("threads", 2)
    torch.set_num_threads(threads)
    own_library = os.path.join(os.path.dirname(torch.__file__), "lib")
    command = [given.tool, "bench-step", "--config", given.config, "--steps", str(given.steps)]
    command += ["--side", str(side), "--batch", str(batch)]
    ours, theirs = [], []
    for _ in range(given.rounds):
        environment = {**os.environ, "LD_LIBRARY_PATH": own_library}
        said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
        print(said, flush=True)
        ours.append(float(said.split(", ")[-1].split()[0]))
        theirs.append(eager(config, side, batch, given.steps, said))
        print(f"eager: {config['model']['encoder']}, {side} px, batch {batch}, {threads} threads: "
              f"{theirs[-1]:.2f} pictures/s", flush=True)
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"polyp / eager, medians of {given.rounds}: {ratio:.3f} (PyTorch {torch.__version__})")


if __name__ == "__main__":
    main()
