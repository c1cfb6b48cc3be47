"""Runs all of them, one after the other, in three rounds, and prints the table. Every figure is kept in target/peers/peers.json."""

import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROUNDS = 3
PORT = 19464
ENGINE = "engines/store/lite"
OURS = "polyp (this project)"
PEERS = ["opencv_ort", "gstreamer_openvino", "opencv_dnn"]


def clip(folder):
    """The demonstration clip at 1080p30 without an overlay, as H.264: what a recording of it has."""
    tool = "target/release/polyp"
    subprocess.run(
        [tool, "demo", "--no-window", "--size", "1080p", "--out", folder / "demo", "--record", folder / "session"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    (recorded,) = (folder / "session").glob("*/000000.mkv")
    out = folder / "clip.mkv"
    subprocess.run(
        ["gst-launch-1.0", "-q", "filesrc", f"location={recorded}", "!", "matroskademux", "name=d", "d.video_0", "!",
         "h264parse", "!", "matroskamux", "!", "filesink", f"location={out}"],
        check=True,
    )
    return out


def ours(path, folder, seconds):
    """`polyp run` over the same file. The figures are those that it serves."""
    config = folder / "run.toml"
    config.write_text(
        f'[source]\nkind = "file"\npath = "{path.resolve()}"\n[segment]\nengine = "{Path(ENGINE).resolve()}"\n'
        f'[sink]\nkind = "none"\n[metrics]\nport = {PORT}\n'
    )
    rounds, begun_all = [], time.monotonic()
    while time.monotonic() - begun_all < seconds:
        begun = time.monotonic()
        child = subprocess.Popen(["target/release/polyp", "run", config], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        last, warm = None, None
        while child.poll() is None:
            time.sleep(0.1)
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/stats.json", timeout=2) as answer:
                    last = json.load(answer)
                    warm = warm or (time.monotonic(), cpu_of(child.pid), sum(count for _, count in last["frames"]))
                    latest = (time.monotonic(), cpu_of(child.pid), peak_of(child.pid))
            except (OSError, ValueError):
                pass
        if child.returncode != 0 or last is None:
            sys.exit(f"polyp run: expected it to end well, found {child.returncode}: {child.stderr.read().decode()}")
        rounds.append((last, latest[0] - warm[0], latest[1] - warm[1], latest[2], warm[2], begun))
    stages = lambda name: [next(s for s in last["report"]["stages"] if s["stage"] == name) for last, *_ in rounds]
    # Of several plays of the clip, the worst of each percentile.
    def worst(name):
        found = stages(name)
        at = lambda place: max((s["percentiles_ns"][place] or 0 for s in found), default=0) / 1e6
        longest = max(s["longest_ns"] or 0 for s in found) / 1e6
        return {"p50": at(0), "p99": at(2), "p999": at(3) or None, "longest": longest}
    picture, age = worst("picture"), worst("age")
    frames = sum(sum(count for _, count in last["frames"]) - warm for last, _, _, _, warm, _ in rounds)
    masks = sum(s["count"] for s in stages("infer"))
    add = lambda key: round(picture[key] + age[key], 3) if picture[key] is not None and age[key] is not None else None
    version = subprocess.run(["target/release/polyp", "--version"], capture_output=True, text=True).stdout.strip()
    return {
        "name": OURS,
        "versions": f"{version}, {rounds[0][0]['backend']}, {rounds[0][0]['precision']}",
        "frames": frames,
        "seconds": round(sum(r[1] for r in rounds), 3),
        "picture_ms": picture,
        "annotation_ms": {key: add(key) for key in picture},
        "masks": masks,
        "cpu_s": round(sum(r[2] for r in rounds), 3),
        "peak_mib": max(r[3] for r in rounds),
    }


def cpu_of(process):
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_of(process):
    """The most memory that it had, in MiB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process}/status").read_text())[1]) // 1024


def peer(name, path, seconds):
    """A peer in a process of its own; why it has no figures where it has none."""
    ran = subprocess.run(
        [sys.executable, f"tests/peers/{name}.py", str(path), ENGINE, str(seconds)], capture_output=True, text=True
    )
    if ran.returncode != 0:
        return {"name": name, "failed": (ran.stderr.strip().splitlines() or ["no word"])[-1]}
    return json.loads(ran.stdout.strip().splitlines()[-1])


def middle(runs):
    """The medians over the rounds."""
    def of(*keys):
        found = []
        for run in runs:
            for key in keys:
                run = run[key]
            if run is not None:
                found.append(run)
        return statistics.median(found) if found else None
    return {
        "name": runs[0]["name"],
        "versions": runs[0]["versions"],
        "fps": statistics.median(run["frames"] / run["seconds"] for run in runs),
        "masks": statistics.median(run["masks"] / run["seconds"] for run in runs),
        "picture": [of("picture_ms", key) for key in ("p50", "p99", "longest")],
        "annotation": [of("annotation_ms", key) for key in ("p50", "p99")],
        "cpu": statistics.median(run["cpu_s"] / run["frames"] for run in runs) * 1e3,
        "cpu_mask": statistics.median(run["cpu_s"] / run["masks"] for run in runs) * 1e3,
        "peak": of("peak_mib"),
    }


def machine():
    """What it was measured on."""
    about = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", about)[1]
    wide = "with AVX-512" if "avx512f" in about else "without AVX-512"
    return f"{model}, {os.cpu_count()} processors, {wide}, Linux {platform.release()}"


def main(seconds):
    folder = Path("target/peers")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    path = clip(folder)
    runs = {}
    for number in range(ROUNDS):
        for name, run in [(OURS, lambda: ours(path, folder, seconds)), *((name, lambda name=name: peer(name, path, seconds)) for name in PEERS)]:
            print(f"peers: round {number + 1} of {ROUNDS}: {name}", file=sys.stderr)
            runs.setdefault(name, []).append(run())
    (folder / "peers.json").write_text(json.dumps({"machine": machine(), "seconds": seconds, "runs": runs}, indent=1) + "\n")
    failed = {name: next((run["failed"] for run in found if "failed" in run), None) for name, found in runs.items()}
    told = [middle(found) for name, found in runs.items() if failed[name] is None]
    own = told[0]
    ratio = lambda value, key, place=None: value / max(own[key] if place is None else own[key][place], 1e-9)
    print(f"{machine()}; 1920x1080 H.264 at 30 frames a second, engine lite, {seconds:.0f} s each, medians of {ROUNDS} rounds in turn;")
    print("in brackets: how many times ours\n")
    print("| | shown, frames/s | masks/s | picture later by, ms: p50 | p99 | longest | annotation later by, ms: p50 | p99 | CPU, ms/frame | CPU, ms/mask | peak memory, MiB |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for one in told:
        cells = [f"{one['fps']:.1f}", f"{one['masks']:.1f}"]
        for key in ("picture", "annotation"):
            cells += [f"{value:.1f} ({ratio(value, key, place):.1f})" for place, value in enumerate(one[key])]
        cells += [f"{one[key]:.0f} ({ratio(one[key], key):.2f})" for key in ("cpu", "cpu_mask", "peak")]
        print(f"| {one['name']} | {' | '.join(cells)} |")
    print()
    for one in told:
        print(f"* {one['name']}: {one['versions']}")
    for name, why in failed.items():
        if why is not None:
            print(f"* {name}: no figures: {why}")


main(float(sys.argv[1]))
