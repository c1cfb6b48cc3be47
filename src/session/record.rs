//! What the lines of a journal say. Times are nanoseconds of the stream's running time; what is not known is left out.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use crate::frame::Rect;
use crate::input::Placement;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Record {
    /// A file begins.
    Segment(Box<SegmentRecord>),
    /// From here on another network, or another prompt, makes the masks.
    Engine(Box<EngineRecord>),
    /// From here on the picture is painted with other settings.
    Settings(SettingsRecord),
    /// A mask was recorded.
    Mask(Box<MaskRecord>),
    /// A frame passed.
    Frame(Box<FrameRecord>),
    /// Somebody marked this moment.
    Mark(MarkRecord),
    /// Frames passed of which nothing else is known.
    Uncounted(UncountedRecord),
    /// A repair found that something is missing.
    Repair(RepairRecord),
    /// The recording ended.
    End(EndRecord),
}

/// A file and its tracks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentRecord {
    /// Its number, which is its name.
    pub index: u32,
    /// The time of its tick 0.
    pub base_ns: u64,
    /// The frames' format before they were coded, by GStreamer's name.
    pub format: String,
    /// The frames' width in pixels.
    pub width: u32,
    /// And their height.
    pub height: u32,
    /// Their colorimetry, by GStreamer's name.
    pub colorimetry: String,
    /// Frames per second, as a fraction; 0/1 where it varies.
    pub framerate: (u32, u32),
    /// The video's codec: `h264` or `ffv1`.
    pub codec: String,
    /// The format in which frames were given to the codec; where it is `format`, FFV1 keeps every bit.
    pub coded: String,
    /// The masks' side in cells; 0 for a file without masks.
    pub mask_side: u32,
    /// The bytes before the first cluster, as they stand while the file is written; hexadecimal.
    pub header: String,
}

/// What makes the masks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EngineRecord {
    /// From this time on.
    #[serde(default)]
    pub pts_ns: u64,
    /// The engine's name.
    pub name: String,
    /// The sha256 of its manifest, which has those of all its files; empty for an engine that is no folder.
    pub manifest_sha256: String,
    /// What the network is asked for.
    pub prompt: String,
    /// What logits are divided by.
    #[serde(deserialize_with = "finite")]
    pub temperature: f32,
    /// The side of its input, and of its masks, in pixels.
    pub side_px: u32,
    /// What runs it.
    pub backend: String,
    /// The library and its version.
    pub library: String,
    /// The numbers that it computes with.
    pub precision: String,
    /// CPU threads.
    pub threads: u32,
}

/// How the picture was painted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingsRecord {
    /// From this time on.
    pub pts_ns: u64,
    /// Properties or a configuration, as text.
    pub text: String,
}

/// A mask, once for each answer of the network that was shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaskRecord {
    /// The file that holds it; left out for one that was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<u32>,
    /// Its own frame's number.
    pub sequence: u64,
    /// Its own frame's time.
    pub pts_ns: u64,
    /// Where its cells lie in the frame; nothing but zeros where its line was lost.
    pub placed: Placed,
    /// CRC-32 of its cells, row by row.
    pub cells_crc: u32,
    /// CRC-32 of the block in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_crc: Option<u32>,
    /// Why it was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<String>,
}

/// Where a mask lies: [`Placement`] as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// The part of the frame, in pixels: x, y, width, height.
    pub source: [u32; 4],
    /// The cells that hold it: x, y, width, height.
    pub target: [u32; 4],
    /// Rows and columns of cells.
    pub side: u32,
}

impl From<Placement> for Placed {
    fn from(placement: Placement) -> Self {
        let of = |Rect { x, y, width, height }: Rect| [x, y, width, height];
        Self { source: of(placement.source), target: of(placement.target), side: placement.side_px }
    }
}

impl From<Placed> for Placement {
    fn from(placed: Placed) -> Self {
        let of = |[x, y, width, height]: [u32; 4]| Rect { x, y, width, height };
        Self { source: of(placed.source), target: of(placed.target), side_px: placed.side }
    }
}

/// A frame: what was shown on it and how long it took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrameRecord {
    /// Its number in the stream.
    pub sequence: u64,
    /// Its time.
    pub pts_ns: u64,
    /// The file that holds it; left out for one that was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<u32>,
    /// CRC-32 of its block in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_crc: Option<u32>,
    /// CRC-32 of its pixels in the coded format, where the codec keeps every bit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pixels_crc: Option<u32>,
    /// Why it was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped: Option<String>,
    /// What the overlay was worth: `live`, `held`, `starting`, `no-mask`, `frozen`, `late`, `fault`, `off`; `unknown` where a repair
    /// found the picture and not its line.
    pub badge: String,
    /// The time of the mask that was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask_pts_ns: Option<u64>,
    /// How old that mask was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask_age_ns: Option<u64>,
    /// How the picture moved since: xx, xy, x, yx, yy, y of the meta's table, and the measurement's quality.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "all_finite")]
    pub motion: Option<[f32; 7]>,
    /// Whether the alarm was raised; left out while it is switched off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarm: Option<bool>,
    /// Copying the region for the network.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub prepare_ns: u64,
    /// Waiting for the network.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wait_ns: u64,
    /// Measuring the picture's motion.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub motion_ns: u64,
    /// All of the segmenter's time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub total_ns: u64,
    /// The shown mask's frame: waiting for the network to be free.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub queue_ns: u64,
    /// The same: making the network's input of the copy; 0 where the picture waited for that, or a card did it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub input_ns: u64,
    /// The same: in the network.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub infer_ns: u64,
    /// The same: making probabilities of logits.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub decode_ns: u64,
}

/// A number too large to be one of 32 bits would be written as none.
fn finite<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
    let number = f32::deserialize(from)?;
    if number.is_finite() { Ok(number) } else { Err(D::Error::custom("a number beyond 32 bits")) }
}

fn all_finite<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[f32; 7]>, D::Error> {
    let numbers = Option::<[f32; 7]>::deserialize(from)?;
    let beyond = numbers.is_some_and(|numbers| numbers.iter().any(|number| !number.is_finite()));
    if beyond { Err(D::Error::custom("a number beyond 32 bits")) } else { Ok(numbers) }
}

fn is_zero(time: &u64) -> bool {
    *time == 0
}

/// A moment that somebody marked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarkRecord {
    /// The newest frame's time.
    pub pts_ns: u64,
    /// What was said of it; may be empty.
    pub text: String,
}

/// Frames of which nothing else is known: they came faster than lines could be written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UncountedRecord {
    /// The time of the frame after which it was noticed.
    pub pts_ns: u64,
    /// How many.
    pub frames: u64,
}

/// What a repair found missing in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepairRecord {
    /// The file's number; left out where it is the journal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<u32>,
    /// Bytes that could not be read and were taken out.
    pub bytes: u64,
    /// Frames and masks that have a line and are not in the file.
    pub lost: u64,
    /// Frames that are in the file and had no line.
    pub found: u64,
}

/// The end of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndRecord {
    /// The last frame's time.
    pub pts_ns: u64,
    /// Why it ended.
    pub reason: String,
}
