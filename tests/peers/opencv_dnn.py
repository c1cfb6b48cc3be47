"""Peer (c): OpenCV alone: its DNN module computes."""

import sys

import cv2

from peer import Engine, loop


def main(clip, folder, seconds):
    engine = Engine(folder)
    network = cv2.dnn.readNetFromONNX(engine.model)
    inputs = ["image", *engine.memory]

    def infer(picture):
        for name, values in [("image", picture), *engine.memory.items()]:
            network.setInput(values, name)
        return network.forward()

    network.setInputsNames(inputs)
    loop("OpenCV's DNN module", f"OpenCV {cv2.__version__}", engine, infer, clip, float(seconds))


main(*sys.argv[1:])
