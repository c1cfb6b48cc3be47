"""Reads a data set back with h5py, and says what it found as JSON.

usage: data_set.py FILE [CELLS]

With CELLS, a folder of recorded cells as PNG: the masks must be those, from 128 on, in their order of names.
"""

import json
import pathlib
import sys

import h5py
import numpy
import PIL.Image

file = h5py.File(sys.argv[1])
assert file.attrs["format"] == "polyp-data-set" and file.attrs["format_version"] == 2
text = {column: [value.decode() for value in file[column]] for column in ("name", "group", "split", "source")}
masks = [file[f"mask/{index:06}"][:] for index in range(len(text["name"]))]
for index, mask in enumerate(masks):
    picture = file[f"picture/{index:06}"]
    assert picture.shape == (*mask.shape, 3) and picture[:].std() > 5, f"picture {index} shows something"
if len(sys.argv) > 2:
    cells = sorted(pathlib.Path(sys.argv[2]).glob("*.png"))
    assert len(cells) == len(masks)
    for path, name, mask in zip(cells, text["name"], masks):
        assert name.endswith(path.stem), f"{name} is not {path.stem}"
        assert numpy.array_equal(numpy.asarray(PIL.Image.open(path)) >= 128, mask == 1), f"{name} has another mask"
json.dump({
    "pictures": len(masks),
    "groups": sorted(set(text["group"])),
    "sources": text["source"],
    "pixels": [int(mask.sum()) for mask in masks],
    "polyp_pixels": int(sum(mask.sum() for mask in masks)),
}, sys.stdout)
