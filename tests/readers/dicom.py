"""Reads an export into DICOM back with pydicom and highdicom, and says what it found as JSON.

usage: dicom.py FOLDER PNG-MASKS STREAM

FOLDER is the export. The masks in it must be those of the folder PNG-MASKS, in its order of names, to the pixel. The transport streams of its
videos are written to STREAM-0001.ts and so on.
"""

import json
import pathlib
import sys

import highdicom
import numpy
import PIL.Image
import pydicom
from pydicom.encaps import generate_fragments

folder, masks, stream = map(pathlib.Path, sys.argv[1:])
videos, found = {}, []
for number, path in enumerate(sorted(folder.glob("video-*.dcm")), 1):
    video = pydicom.dcmread(path)
    videos[video.SOPInstanceUID] = video
    fragments = list(generate_fragments(video.PixelData))
    assert fragments[0] == b"", "the first fragment is the empty table of offsets"
    data = b"".join(fragments)
    pathlib.Path(f"{stream}-{number:04}.ts").write_bytes(data)
    assert len(data) % 188 == 0 and set(data[::188]) == {0x47}, "a transport stream has packets of 188 bytes"
    found.append({
        "class": video.SOPClassUID.name,
        "syntax": str(video.file_meta.TransferSyntaxUID),
        "frames": int(video.NumberOfFrames),
        "size": [video.Columns, video.Rows],
        "frame_time": str(video.get("FrameTime", "")),
        "patient": [str(video.PatientName), video.PatientID, video.PatientBirthDate, video.PatientSex],
        "study": [video.StudyInstanceUID, video.StudyDate],
    })

expected = sorted(masks.glob("*.png"))
numbers, read = [], 0
for path in sorted(folder.glob("masks-*.dcm")):
    segmentation = highdicom.seg.segread(path)
    assert segmentation.segmentation_type == highdicom.seg.SegmentationTypeValues.BINARY
    (segment,) = segmentation.SegmentSequence
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Polyp"
    series = segmentation.ReferencedSeriesSequence[0]
    (source,) = {item.ReferencedSOPInstanceUID for item in series.ReferencedInstanceSequence}
    video = videos[source]
    assert series.SeriesInstanceUID == video.SeriesInstanceUID
    assert segmentation.StudyInstanceUID == video.StudyInstanceUID
    groups = segmentation.PerFrameFunctionalGroupsSequence
    frames = [int(g.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber) for g in groups]
    pixels = segmentation.get_pixels_by_source_frame(
        source_sop_instance_uid=source, source_frame_numbers=frames, combine_segments=True, relabel=True
    )
    assert pixels.shape == (len(frames), video.Rows, video.Columns)
    for mask in pixels:
        white = numpy.asarray(PIL.Image.open(expected[read])) > 127
        assert numpy.array_equal(mask > 0, white), f"{expected[read].name} is another mask"
        read += 1
    numbers += frames
assert read == len(expected), f"{read} masks of {len(expected)}"
algorithm = segmentation.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0]
json.dump({
    "videos": found,
    "masks": read,
    "frame_numbers": numbers,
    "algorithm": [algorithm.AlgorithmName, algorithm.AlgorithmVersion, algorithm.AlgorithmParameters],
}, sys.stdout)
