"""What every peer needs: the engine's files, the network's input, contours, times. Nothing here is timed but what calls it."""

import json
import resource
import struct
import sys
import time
from pathlib import Path

import cv2
import numpy as np

FRAMES_PER_SECOND = 30


class Engine:
    """The files of an engine's folder, read as their formats are documented."""

    def __init__(self, folder):
        self.folder = Path(folder)
        manifest = json.loads((self.folder / "manifest.json").read_text())
        self.side = manifest["input"]["side_px"]
        normalisation = manifest["input"]["normalisation"]
        if normalisation["kind"] != "fixed":
            sys.exit(f"{folder}: expected normalisation of kind fixed, found {normalisation['kind']}")
        self.mean = np.array(normalisation["mean"], np.float32)
        self.std = np.array(normalisation["std"], np.float32)
        self.temperature = manifest["temperature"]
        self.model = str(self.folder / "model.onnx")
        self.memory = tensors(self.folder / "memory.safetensors")

    def input(self, frame):
        """A BGR frame as the network takes it: `[1, 3, side, side]`."""
        small = cv2.resize(frame, (self.side, self.side), interpolation=cv2.INTER_AREA)
        rgb = cv2.cvtColor(small, cv2.COLOR_BGR2RGB).astype(np.float32)
        return np.ascontiguousarray(((rgb - self.mean) / self.std).transpose(2, 0, 1)[None])


def tensors(path):
    """The arrays of a safetensors file, all of them float32, each as a batch of one."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + length])
    arrays = {}
    for name, about in head.items():
        if name != "__metadata__":
            start, end = about["data_offsets"]
            values = np.frombuffer(data[8 + length + start : 8 + length + end], np.float32)
            arrays[name] = values.reshape([1, *about["shape"]])
    return arrays


def paint(frame, logits):
    """The mask's edge on the frame, as most people draw it. Gives the number of contours."""
    height, width = frame.shape[:2]
    mask = cv2.resize((logits[0, 0] > 0).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(frame, contours, -1, (0, 255, 0), 2)
    return len(contours)


def percentiles(times):
    """Milliseconds: what is known of so many."""
    ordered = np.sort(np.array(times)) * 1e3
    at = lambda share: round(float(ordered[min(len(ordered) - 1, int(np.ceil(share * len(ordered))) - 1)]), 3)
    return {"p50": at(0.5), "p99": at(0.99), "p999": at(0.999) if len(ordered) >= 1000 else None, "longest": at(1.0)}


class Camera:
    """A clip as a camera that keeps its pace brings it, over and over: frames that were not fetched in time are gone."""

    def __init__(self, clip):
        self.clip = clip
        self.capture = cv2.VideoCapture(clip)
        if not self.capture.isOpened():
            sys.exit(f"{clip}: expected a video that OpenCV opens, found none")
        self.begun = None
        self.next = 0

    def read(self):
        """The newest frame; waits for the next one where that was fetched already."""
        if self.begun is None:
            self.begun = time.monotonic()
        due = int((time.monotonic() - self.begun) * FRAMES_PER_SECOND)
        while self.next < due:
            self._step(self.capture.grab)
        wait = self.begun + self.next / FRAMES_PER_SECOND - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        return self._step(self.capture.read)

    def _step(self, take):
        taken = take()
        if not (taken[0] if isinstance(taken, tuple) else taken):
            self.capture.release()
            self.capture = cv2.VideoCapture(self.clip)
            taken = take.__self__ is not None and getattr(self.capture, take.__name__)()
        self.next += 1
        return taken[1] if isinstance(taken, tuple) else None


def loop(name, versions, engine, infer, clip, seconds):
    """Reads, asks the network, paints: one after the other, as most people write it. Prints the figures."""
    camera = Camera(clip)
    infer(engine.input(np.zeros((1080, 1920, 3), np.uint8)))
    begun, usage, times, contours = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF), [], 0
    while time.monotonic() - begun < seconds:
        frame = camera.read()
        taken = time.monotonic()
        contours += paint(frame, infer(engine.input(frame)))
        times.append(time.monotonic() - taken)
    tell(name, versions, begun, usage, times, times, len(times), contours)


def tell(name, versions, begun, usage, picture, annotation, masks, contours):
    """The figures as a line of JSON."""
    if not contours:
        sys.exit(f"{name}: expected polyps in the clip, found none: it does not compute what the others do")
    seconds, used = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_SELF)
    cpu = used.ru_utime + used.ru_stime - usage.ru_utime - usage.ru_stime
    print(json.dumps({
        "name": name,
        "versions": versions,
        "frames": len(picture),
        "seconds": round(seconds, 3),
        "picture_ms": percentiles(picture),
        "annotation_ms": percentiles(annotation),
        "masks": masks,
        "cpu_s": round(cpu, 3),
        "peak_mib": used.ru_maxrss // 1024,
    }))
