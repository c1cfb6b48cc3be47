"""Peer (a): what most people write: OpenCV reads and draws, ONNX Runtime computes, one after the other."""

import sys

import cv2
import onnxruntime

from peer import Engine, loop


def main(clip, folder, seconds):
    engine = Engine(folder)
    session = onnxruntime.InferenceSession(engine.model, providers=["CPUExecutionProvider"])
    image = next(port.name for port in session.get_inputs() if port.name not in engine.memory)
    infer = lambda picture: session.run(None, {image: picture, **engine.memory})[0]
    versions = f"OpenCV {cv2.__version__}, ONNX Runtime {onnxruntime.__version__}"
    loop("Python, OpenCV and ONNX Runtime", versions, engine, infer, clip, float(seconds))


main(*sys.argv[1:])
