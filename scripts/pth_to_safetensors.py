#!/usr/bin/env python3
"""Converts one PyTorch weight file of the format before 1.6 (`.pth`, a sequence of pickles) to safetensors.

It needs neither torch nor numpy, and it runs nothing that the file says: the unpickler knows an ordered dictionary,
the typed storages and the function that makes a tensor from a storage, and refuses every other name.
Key names, shapes and values stay as they are; a tensor that lies transposed in its storage is written in row order.

It is not a general converter: zip files (PyTorch 1.6 and newer) and weight files that contain anything but tensors
are refused with a sentence.

usage: pth_to_safetensors.py IN.pth OUT.safetensors
"""

import array
import collections
import io
import itertools
import json
import os
import pickle
import struct
import sys

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

# Storage class of torch -> (safetensors type, bytes per element).
STORAGES = {
    "DoubleStorage": ("F64", 8),
    "FloatStorage": ("F32", 4),
    "HalfStorage": ("F16", 2),
    "BFloat16Storage": ("BF16", 2),
    "LongStorage": ("I64", 8),
    "IntStorage": ("I32", 4),
    "ShortStorage": ("I16", 2),
    "CharStorage": ("I8", 1),
    "ByteStorage": ("U8", 1),
    "BoolStorage": ("BOOL", 1),
}
# Bytes per element -> the unsigned word of that size, to move bits without looking at them.
WORDS = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Refused(Exception):
    """The file is not one that this script converts; the message says why."""


Tensor = collections.namedtuple("Tensor", "storage offset shape stride")


def rebuild_tensor(storage, offset, shape, stride, *_rest):
    """Stands for torch._utils._rebuild_tensor_v2: remembers where the tensor lies in its storage."""
    if len(shape) != len(stride) or min(shape, default=0) < 0 or min(stride, default=0) < 0 or offset < 0:
        raise Refused(f"a tensor has shape {tuple(shape)}, stride {tuple(stride)} and offset {offset}")
    return Tensor(storage, offset, tuple(shape), tuple(stride))


def rebuild_parameter(tensor, *_rest):
    """Stands for torch._utils._rebuild_parameter: a parameter is its tensor."""
    return tensor


class Restricted(pickle.Unpickler):
    """An unpickler that can make ordered dictionaries and tensors, and nothing else."""

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return rebuild_tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return rebuild_parameter
        if module == "torch" and name in STORAGES:
            return name
        raise Refused(f"the file asks for {module}.{name}, which weights do not need")

    def persistent_load(self, pid):
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage" and pid[1] in STORAGES):
            raise Refused(f"unknown storage {pid!r}")
        if len(pid) > 5 and pid[5] is not None:
            raise Refused("a storage is a view of another one; such files are not read")
        return (pid[2], pid[1], pid[4])  # key, class, elements


def load(stream):
    """Reads one pickle of the sequence."""
    try:
        return Restricted(stream).load()
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, TypeError, AttributeError) as error:
        raise Refused(f"the file is cut or damaged ({error})") from error


def read_pth(data):
    """Bytes of the file -> list of (name, safetensors type, shape, bytes)."""
    if data[:4] == b"PK\x03\x04":
        raise Refused("this is a zip file of PyTorch 1.6 or newer; only the format before it is read")
    stream = io.BytesIO(data)
    if load(stream) != MAGIC:
        raise Refused("the file does not begin with PyTorch's magic number")
    if (protocol := load(stream)) != PROTOCOL:
        raise Refused(f"expected protocol {PROTOCOL}, found {protocol}")
    system = load(stream)
    if not system.get("little_endian"):
        raise Refused("the file was written on a big-endian machine")
    state = load(stream)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise Refused("the file holds something other than named tensors")
    classes = {tensor.storage[0]: tensor.storage[1] for tensor in state.values()}
    blobs = {}
    for key in load(stream):
        if key not in classes:
            raise Refused(f"storage {key} belongs to no tensor")
        head = stream.read(8)
        if len(head) != 8:
            raise Refused("the file is cut before a storage")
        count = struct.unpack("<q", head)[0]
        length = count * STORAGES[classes[key]][1]
        blob = stream.read(length) if count >= 0 else b""
        if count < 0 or len(blob) != length:
            raise Refused("the file is cut inside a storage")
        blobs[key] = blob
    out = []
    for name, tensor in state.items():
        if tensor.storage[0] not in blobs:
            raise Refused(f"the storage of tensor {name} is missing")
        kind, width = STORAGES[tensor.storage[1]]
        out.append((name, kind, tensor.shape, rows(name, tensor, blobs[tensor.storage[0]], width)))
    return out


def rows(name, tensor, blob, width):
    """The elements of a tensor in row order, whatever order they have in the storage."""
    if 0 in tensor.shape:
        return b""
    last = tensor.offset + sum((size - 1) * step for size, step in zip(tensor.shape, tensor.stride))
    if last >= len(blob) // width:
        raise Refused(f"tensor {name} reaches beyond its storage")
    items = array.array(WORDS[width], blob)
    out = array.array(WORDS[width])
    # Dimensions of one element say nothing about order; without them the innermost loop is long.
    loops = [(size, step) for size, step in zip(tensor.shape, tensor.stride) if size > 1] or [(1, 1)]
    size, step = loops.pop()
    for indices in itertools.product(*(range(n) for n, _ in loops)):
        first = tensor.offset + sum(index * stride for index, (_, stride) in zip(indices, loops))
        out.extend(items[first : first + (size - 1) * step + 1 : step] if step else [items[first]] * size)
    return out.tobytes()


def write_safetensors(path, tensors):
    """Writes the widest types first, so that every tensor is aligned to its own width."""
    width = dict(STORAGES.values())
    tensors = sorted(tensors, key=lambda t: (-width[t[1]], t[0]))
    header, offset = {}, 0
    for name, kind, shape, data in tensors:
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    temporary = path + ".part"
    with open(temporary, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _name, _kind, _shape, data in tensors:
            file.write(data)
    os.replace(temporary, path)


def main(arguments):
    if len(arguments) != 2:
        sys.exit("usage: pth_to_safetensors.py IN.pth OUT.safetensors")
    source, target = arguments
    try:
        with open(source, "rb") as file:
            tensors = read_pth(file.read())
        write_safetensors(target, tensors)
    except (Refused, OSError) as error:
        sys.exit(f"pth_to_safetensors: {source}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
