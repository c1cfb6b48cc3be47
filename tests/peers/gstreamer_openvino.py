"""Peer (b): GStreamer in Python: appsink, OpenVINO, appsrc; one frame after the other, late ones dropped."""

import resource
import sys
import time

import cv2
import gi
import numpy as np
import openvino

from peer import Engine, paint, tell

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # noqa: E402


def main(clip, folder, seconds):
    seconds = float(seconds)
    engine = Engine(folder)
    compiled = openvino.Core().compile_model(engine.model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    image = next(port.any_name for port in compiled.inputs if port.any_name not in engine.memory)

    def infer(picture):
        return request.infer({image: picture, **engine.memory})[compiled.output(0)]

    infer(engine.input(np.zeros((1080, 1920, 3), np.uint8)))
    Gst.init(None)
    # The clip plays at its own pace, and again from the start when it ends.
    source = Gst.parse_launch(
        f'filesrc location="{clip}" ! decodebin ! videoconvert ! video/x-raw,format=BGR '
        "! appsink name=sink sync=true drop=true max-buffers=1"
    )
    sink = source.get_by_name("sink")
    caps = "video/x-raw,format=BGR,width=1920,height=1080,framerate=30/1"
    screen = Gst.parse_launch(f"appsrc name=out is-live=true format=time caps={caps} ! fakesink sync=false")
    out = screen.get_by_name("out")
    screen.set_state(Gst.State.PLAYING)
    source.set_state(Gst.State.PLAYING)
    begun, usage, times, contours = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF), [], 0
    while time.monotonic() - begun < seconds:
        sample = sink.try_pull_sample(Gst.SECOND)
        if sample is None:
            if not sink.is_eos():
                sys.exit(f"{clip}: expected frames, found none for a second")
            source.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH, 0)
            continue
        taken = time.monotonic()
        buffer = sample.get_buffer()
        done, mapped = buffer.map(Gst.MapFlags.READ)
        if not done:
            sys.exit("expected a frame that can be read, found one that can not")
        frame = np.frombuffer(mapped.data, np.uint8).reshape(1080, 1920, 3).copy()
        buffer.unmap(mapped)
        contours += paint(frame, infer(engine.input(frame)))
        painted = Gst.Buffer.new_wrapped(frame.tobytes())
        painted.pts = buffer.pts
        out.push_buffer(painted)
        times.append(time.monotonic() - taken)
    source.set_state(Gst.State.NULL)
    screen.set_state(Gst.State.NULL)
    versions = f"GStreamer {Gst.version_string().split()[-1]}, OpenVINO {openvino.__version__}, OpenCV {cv2.__version__}"
    tell("Python, GStreamer and OpenVINO", versions, begun, usage, times, times, len(times), contours)


main(*sys.argv[1:])
