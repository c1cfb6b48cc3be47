//! Video Endoscopic Image instances: the clean picture.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dicom_dictionary_std::{tags, uids};
use polyp::frame::Size;

use super::Examination;
use super::file::{Instance, Part, Pixels, write};
use super::set::{Set, new_uid};
use super::transport::{Coded, Transport};
use crate::cli::failure::Failure;

/// Frames in an instance, at most. Five minutes at 30 frames a second; the vector of their times has to fit into an attribute (64 KiB).
pub(super) const MOST_FRAMES: usize = 9000;
/// What a value may have, in bytes, whose length has 16 bits.
const LONGEST: usize = 65_534;
/// The greatest level of H.264 that each transfer syntax allows.
const SYNTAXES: [(u32, &str); 2] = [(41, uids::MPEG4HP41F), (42, uids::MPEG4HP422DF)];
/// Profiles that a decoder of the high profile decodes.
const PROFILES: [&str; 5] = ["high", "progressive-high", "constrained-high", "main", "constrained-baseline"];

/// An instance that is written, and which frames are in it.
#[derive(Clone, Debug)]
pub(super) struct Video {
    pub(super) uid: String,
    pub(super) size: Size,
    /// The numbers of its frames, as they were recorded; the first is DICOM's frame 1.
    pub(super) sequences: Vec<u64>,
}

/// An instance that is being written.
pub(super) struct Recorder {
    transport: Transport,
    part: Part,
    path: PathBuf,
    size: Size,
    framerate: gst::Fraction,
    sequences: Vec<u64>,
    times: Vec<Duration>,
    first: Duration,
}

impl Recorder {
    pub(super) fn new(
        transport: Transport,
        folder: &Path,
        number: usize,
        size: Size,
        framerate: gst::Fraction,
    ) -> Result<Self, Failure> {
        let path = folder.join(format!("video-{number:04}.dcm"));
        let part = Part::new(path.with_extension("part"))?;
        let (sequences, times) = (Vec::new(), Vec::new());
        Ok(Self { transport, part, path, size, framerate, sequences, times, first: Duration::ZERO })
    }

    pub(super) fn size(&self) -> Size {
        self.size
    }

    pub(super) fn is_full(&self) -> bool {
        self.sequences.len() >= MOST_FRAMES
    }

    /// Takes a frame, coded or not.
    pub(super) fn push(
        &mut self,
        data: Vec<u8>,
        key: bool,
        time: Duration,
        sequence: u64,
    ) -> Result<(), Failure> {
        if self.sequences.is_empty() {
            self.first = time;
        }
        let time = time.saturating_sub(self.first);
        self.sequences.push(sequence);
        self.times.push(time);
        self.transport.push(data, key, time, &mut self.part)
    }

    /// That was all of this instance.
    pub(super) fn finish(self, examination: &Examination, number: usize) -> Result<Video, Failure> {
        let Self { transport, mut part, path, size, framerate, sequences, times, .. } = self;
        let coded = transport.end(&mut part)?;
        let syntax = syntax(&coded)?;
        let uid = new_uid();
        let frames = sequences.len();
        let raw = (size.area() * 3 * frames) as f64;
        let class = uids::VIDEO_ENDOSCOPIC_IMAGE_STORAGE;
        let set = examination
            .common(class, &uid)
            .text(tags::MODALITY, "ES")
            .text(tags::SERIES_INSTANCE_UID, &examination.video_series)
            .text(tags::SERIES_NUMBER, "1")
            .text(tags::SERIES_DESCRIPTION, "Endoscopy")
            .text(tags::MANUFACTURER, "")
            .text(tags::INSTANCE_NUMBER, number.to_string())
            .text(tags::PATIENT_ORIENTATION, "")
            .texts(tags::IMAGE_TYPE, ["ORIGINAL", "PRIMARY"].map(str::to_owned))
            .text(tags::LOSSY_IMAGE_COMPRESSION, "01")
            .text(tags::LOSSY_IMAGE_COMPRESSION_RATIO, format!("{:.2}", raw / part.bytes().max(1) as f64))
            .text(tags::LOSSY_IMAGE_COMPRESSION_METHOD, "ISO_14496_10")
            .number(tags::SAMPLES_PER_PIXEL, 3)
            .text(tags::PHOTOMETRIC_INTERPRETATION, "YBR_PARTIAL_420")
            .number(tags::PLANAR_CONFIGURATION, 0)
            .text(tags::NUMBER_OF_FRAMES, frames.to_string())
            .and(pacing(&times, framerate)?)
            .and(grid(size, 8)?)
            .code(tags::ANATOMIC_REGION_SEQUENCE, examination.options.region.code())
            .items(tags::ACQUISITION_CONTEXT_SEQUENCE, []);
        write(&path, &Instance { class, syntax, uid: &uid }, &set, part, Pixels::Stream)?;
        Ok(Video { uid, size, sequences })
    }
}

/// Rows, columns and bits.
pub(super) fn grid(size: Size, bits: u16) -> Result<Set, Failure> {
    let side = |side: u32| {
        u16::try_from(side).map_err(|_large| {
            Failure::Usage(format!(
                "--as dicom: expected frames of at most 65535 pixels a side, found {size}"
            ))
        })
    };
    Ok(Set::new()
        .number(tags::ROWS, side(size.height)?)
        .number(tags::COLUMNS, side(size.width)?)
        .number(tags::BITS_ALLOCATED, bits)
        .number(tags::BITS_STORED, bits)
        .number(tags::HIGH_BIT, bits - 1)
        .number(tags::PIXEL_REPRESENTATION, 0))
}

fn syntax(coded: &Coded) -> Result<&'static str, Failure> {
    let Coded { profile, level } = coded;
    let allowed = SYNTAXES.iter().find(|(most, _)| level <= most).map(|(_, syntax)| *syntax);
    match allowed {
        Some(syntax) if PROFILES.contains(&profile.as_str()) => Ok(syntax),
        _ => Err(Failure::Usage(format!(
            "--as dicom: expected H.264 of the high profile and at most level 4.2, found profile {profile}, level {}.{}; \
             --encode makes other frames fit, if they are no larger than 1920x1080",
            level / 10,
            level % 10
        ))),
    }
}

/// When frames are shown: one time for all, where each is where it belongs to within half of it, or else a time for each.
fn pacing(times: &[Duration], framerate: gst::Fraction) -> Result<Set, Failure> {
    let (rate, scale) = (f64::from(framerate.numer()), f64::from(framerate.denom()));
    if rate > 0.0 && scale > 0.0 {
        let period = scale / rate;
        let even =
            |(i, time): (usize, &Duration)| (time.as_secs_f64() - i as f64 * period).abs() < period / 2.0;
        if times.iter().enumerate().all(even) {
            let text = decimal(period * 1e3);
            let whole = (rate / scale).round().to_string();
            return Ok(Set::new()
                .text(tags::FRAME_TIME, text)
                .text(tags::CINE_RATE, whole.as_str())
                .text(tags::RECOMMENDED_DISPLAY_FRAME_RATE, whole)
                .tag(tags::FRAME_INCREMENT_POINTER, tags::FRAME_TIME));
        }
    }
    // To the millisecond of each frame's own time, so that what is rounded does not add up.
    let at = |time: &Duration| (time.as_secs_f64() * 1e3).round() as u64;
    let first = std::iter::once(0);
    let steps: Vec<String> = first
        .chain(times.windows(2).map(|pair| at(&pair[1]).saturating_sub(at(&pair[0]))))
        .take(times.len())
        .map(|step| step.to_string())
        .collect();
    let length = steps.iter().map(|step| step.len() + 1).sum::<usize>();
    if length > LONGEST {
        return Err(Failure::Stream(format!(
            "the times of {} frames have {length} bytes, and a DICOM attribute holds {LONGEST}",
            times.len()
        )));
    }
    Ok(Set::new()
        .texts(tags::FRAME_TIME_VECTOR, steps)
        .tag(tags::FRAME_INCREMENT_POINTER, tags::FRAME_TIME_VECTOR))
}

/// A number in at most 16 characters.
fn decimal(number: f64) -> String {
    let text = format!("{number:.9}");
    text.chars().take(16).collect::<String>().trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(times: &[u64], framerate: (i32, i32)) -> (String, String) {
        let times: Vec<Duration> = times.iter().map(|ms| Duration::from_millis(*ms)).collect();
        let set = pacing(&times, gst::Fraction::new(framerate.0, framerate.1)).unwrap();
        let text =
            |tag| set.object().element(tag).map(|e| e.to_str().unwrap().into_owned()).unwrap_or_default();
        (text(tags::FRAME_TIME), text(tags::FRAME_TIME_VECTOR))
    }

    #[test]
    fn a_missing_frame_gives_every_frame_a_time_of_its_own() {
        gst::init().unwrap();
        assert_eq!(shown(&[0, 33, 67, 100], (30, 1)), ("33.333333333".to_owned(), String::new()));
        assert_eq!(shown(&[0, 40, 80], (25, 1)).0, "40");
        assert_eq!(shown(&[0, 33, 100], (30, 1)), (String::new(), "0\\33\\67".to_owned()));
        assert_eq!(shown(&[0, 21, 99], (0, 1)), (String::new(), "0\\21\\78".to_owned()));
    }

    #[test]
    fn a_stream_that_no_transfer_syntax_allows_is_refused() {
        let of = |profile: &str, level| syntax(&Coded { profile: profile.to_owned(), level });
        assert_eq!(of("high", 40).unwrap(), uids::MPEG4HP41F);
        assert_eq!(of("main", 42).unwrap(), uids::MPEG4HP422DF);
        let refused = of("high", 51).unwrap_err().to_string();
        assert!(refused.contains("level 5.1"), "{refused}");
        assert!(of("high-4:4:4", 40).unwrap_err().to_string().contains("profile high-4:4:4"));
    }
}
