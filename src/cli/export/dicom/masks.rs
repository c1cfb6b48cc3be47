//! Segmentation instances: the masks, one bit for each pixel of the video's frames, each with the number of the frame that it is of.

use std::path::{Path, PathBuf};

use dicom_dictionary_std::{tags, uids};
use polyp::frame::Size;
use polyp::session::EngineRecord;

use super::Examination;
use super::file::{Instance, Part, Pixels, write};
use super::set::{Code, Set, new_uid};
use super::video::{Video, grid};
use crate::cli::failure::Failure;

/// Bytes of masks in an instance, at most: many tools can not read 2 GiB.
const MOST_BYTES: u64 = 1 << 30;

const CATEGORY: Code = Code("49755003", "SCT", "Morphologically Abnormal Structure");
const POLYP: Code = Code("41329004", "SCT", "Polyp");
const FAMILY: Code = Code("123109", "DCM", "Artificial Intelligence");
const SEGMENTATION: Code = Code("113076", "DCM", "Segmentation");
const SOURCE: Code = Code("121322", "DCM", "Source image for image processing operation");

/// An instance that is being written.
pub(super) struct Segmenting {
    part: Part,
    path: PathBuf,
    /// Which video it speaks of.
    pub(super) of: usize,
    /// Which engine made it.
    pub(super) by: Option<usize>,
    size: Size,
    bits: Bits,
    /// DICOM's numbers of the frames, from 1.
    numbers: Vec<u32>,
}

impl Segmenting {
    pub(super) fn new(
        folder: &Path,
        number: usize,
        of: usize,
        by: Option<usize>,
        size: Size,
    ) -> Result<Self, Failure> {
        let path = folder.join(format!("masks-{number:04}.dcm"));
        let part = Part::new(path.with_extension("part"))?;
        Ok(Self { part, path, of, by, size, bits: Bits::default(), numbers: Vec::new() })
    }

    /// Whether another mask is one too many.
    pub(super) fn is_full(&self) -> bool {
        self.part.bytes() + self.size.area().div_ceil(8) as u64 > MOST_BYTES
    }

    pub(super) fn push(&mut self, number: u32, inside: &[bool]) -> Result<(), Failure> {
        self.numbers.push(number);
        self.part.add(self.bits.take(inside))
    }

    pub(super) fn finish(
        mut self,
        examination: &Examination,
        number: usize,
        video: &Video,
        engine: Option<&EngineRecord>,
        threshold: f32,
    ) -> Result<(), Failure> {
        self.part.add(self.bits.rest())?;
        let uid = new_uid();
        let class = uids::SEGMENTATION_STORAGE;
        let dimension = new_uid();
        let (name, manifest) = engine.map_or(("unknown", "unknown"), |e| (&e.name, &e.manifest_sha256));
        let version = env!("CARGO_PKG_VERSION");
        let set = examination
            .common(class, &uid)
            .text(tags::MODALITY, "SEG")
            .text(tags::SERIES_INSTANCE_UID, &examination.mask_series)
            .text(tags::SERIES_NUMBER, "2")
            .text(tags::SERIES_DESCRIPTION, "Polyp masks by a network; research use")
            .text(tags::MANUFACTURER, "polyp")
            .text(tags::MANUFACTURER_MODEL_NAME, name)
            .text(tags::DEVICE_SERIAL_NUMBER, manifest)
            .text(tags::SOFTWARE_VERSIONS, version)
            .text(tags::INSTANCE_NUMBER, number.to_string())
            .text(tags::CONTENT_LABEL, "POLYP")
            .text(tags::CONTENT_DESCRIPTION, "Where the network says that a polyp is")
            .text(tags::CONTENT_CREATOR_NAME, "")
            .text(tags::CONTENT_DATE, &examination.date)
            .text(tags::CONTENT_TIME, &examination.time)
            .text(tags::PATIENT_ORIENTATION, "")
            .texts(tags::IMAGE_TYPE, ["DERIVED", "PRIMARY"].map(str::to_owned))
            .text(tags::LOSSY_IMAGE_COMPRESSION, "00")
            .number(tags::SAMPLES_PER_PIXEL, 1)
            .text(tags::PHOTOMETRIC_INTERPRETATION, "MONOCHROME2")
            .text(tags::NUMBER_OF_FRAMES, self.numbers.len().to_string())
            .and(grid(self.size, 1)?)
            .text(tags::SEGMENTATION_TYPE, "BINARY")
            .items(tags::SEGMENT_SEQUENCE, [segment(name, manifest, engine, threshold)])
            .items(
                tags::DIMENSION_ORGANIZATION_SEQUENCE,
                [Set::new().text(tags::DIMENSION_ORGANIZATION_UID, &dimension)],
            )
            .items(
                tags::DIMENSION_INDEX_SEQUENCE,
                [
                    (tags::REFERENCED_SEGMENT_NUMBER, tags::SEGMENT_IDENTIFICATION_SEQUENCE, "Segment"),
                    (tags::TEMPORAL_POSITION_INDEX, tags::FRAME_CONTENT_SEQUENCE, "Frame"),
                ]
                .map(|(index, group, label)| {
                    Set::new()
                        .text(tags::DIMENSION_ORGANIZATION_UID, &dimension)
                        .tag(tags::DIMENSION_INDEX_POINTER, index)
                        .tag(tags::FUNCTIONAL_GROUP_POINTER, group)
                        .text(tags::DIMENSION_DESCRIPTION_LABEL, label)
                }),
            )
            .items(
                tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
                [Set::new().items(
                    tags::SEGMENT_IDENTIFICATION_SEQUENCE,
                    [Set::new().number(tags::REFERENCED_SEGMENT_NUMBER, 1)],
                )],
            )
            .items(
                tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
                (1..).zip(&self.numbers).map(|(position, number)| groups(position, *number, video)),
            )
            .items(
                tags::REFERENCED_SERIES_SEQUENCE,
                [Set::new()
                    .items(tags::REFERENCED_INSTANCE_SEQUENCE, [reference(video)])
                    .text(tags::SERIES_INSTANCE_UID, &examination.video_series)],
            );
        let instance = Instance { class, syntax: uids::EXPLICIT_VR_LITTLE_ENDIAN, uid: &uid };
        write(&self.path, &instance, &set, self.part, Pixels::Plain)
    }
}

fn reference(video: &Video) -> Set {
    Set::new()
        .text(tags::REFERENCED_SOP_CLASS_UID, uids::VIDEO_ENDOSCOPIC_IMAGE_STORAGE)
        .text(tags::REFERENCED_SOP_INSTANCE_UID, &video.uid)
}

fn segment(name: &str, manifest: &str, engine: Option<&EngineRecord>, threshold: f32) -> Set {
    let parameters = engine.map_or_else(
        || format!("threshold {threshold}"),
        |e| format!("prompt {:?}, temperature {}, threshold {threshold}", e.prompt, e.temperature),
    );
    let algorithm = Set::new()
        .code(tags::ALGORITHM_FAMILY_CODE_SEQUENCE, FAMILY)
        .text(tags::ALGORITHM_NAME, name)
        .text(tags::ALGORITHM_VERSION, manifest)
        .text(tags::ALGORITHM_PARAMETERS, parameters);
    Set::new()
        .number(tags::SEGMENT_NUMBER, 1)
        .text(tags::SEGMENT_LABEL, "Polyp")
        .text(tags::SEGMENT_ALGORITHM_TYPE, "AUTOMATIC")
        .text(tags::SEGMENT_ALGORITHM_NAME, name)
        .code(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, CATEGORY)
        .code(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, POLYP)
        .items(tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE, [algorithm])
}

/// What is said of one mask.
fn groups(position: u32, number: u32, video: &Video) -> Set {
    let content = Set::new()
        .longs(tags::TEMPORAL_POSITION_INDEX, [position])
        .longs(tags::DIMENSION_INDEX_VALUES, [1, position]);
    let source = reference(video)
        .text(tags::REFERENCED_FRAME_NUMBER, number.to_string())
        .text(tags::SPATIAL_LOCATIONS_PRESERVED, "YES")
        .code(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, SOURCE);
    let derivation = Set::new()
        .items(tags::SOURCE_IMAGE_SEQUENCE, [source])
        .code(tags::DERIVATION_CODE_SEQUENCE, SEGMENTATION);
    Set::new()
        .items(tags::FRAME_CONTENT_SEQUENCE, [content])
        .items(tags::DERIVATION_IMAGE_SEQUENCE, [derivation])
}

/// Pixels into bits, the first into the lowest; the next mask goes on where this one ends, be it within a byte.
#[derive(Debug, Default)]
struct Bits {
    bytes: Vec<u8>,
    open: u8,
    filled: u32,
}

impl Bits {
    /// The bytes that these pixels complete.
    fn take(&mut self, inside: &[bool]) -> &[u8] {
        self.bytes.clear();
        for inside in inside {
            self.open |= u8::from(*inside) << self.filled;
            self.filled += 1;
            if self.filled == 8 {
                self.bytes.push(self.open);
                (self.open, self.filled) = (0, 0);
            }
        }
        &self.bytes
    }

    /// The byte that is left open.
    fn rest(&mut self) -> &[u8] {
        self.bytes.clear();
        if self.filled > 0 {
            self.bytes.push(self.open);
            (self.open, self.filled) = (0, 0);
        }
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn masks_follow_one_another_within_a_byte() {
        let mut bits = Bits::default();
        let mask = |text: &str| text.bytes().map(|byte| byte == b'#').collect::<Vec<_>>();
        assert_eq!(bits.take(&mask("#..##")), b"");
        assert_eq!(bits.take(&mask("###.#....#..")), [0b1111_1001, 0b0100_0010]);
        assert_eq!(bits.take(&mask("#")), b"");
        assert_eq!(bits.rest(), [0b10]);
        assert_eq!(bits.rest(), b"");
    }
}
