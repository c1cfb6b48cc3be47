//! DICOM: the clean picture as Video Endoscopic Image, the masks as Segmentation of its frames.
//!
//! | file | what | transfer syntax |
//! |---|---|---|
//! | `video-NNNN.dcm` | H.264 in an MPEG transport stream, as it was recorded | 1.2.840.10008.1.2.4.102.1 or 104.1 (fragmentable) |
//! | `masks-NNNN.dcm` | one bit for each pixel, of the frames that have a mask of their own | 1.2.840.10008.1.2.1 |
//!
//! Both are gathered on the disk and not in memory, whatever the session's length. Attributes of a patient are there as the standard asks for
//! them, and empty unless they are given; dates are left out unless they are asked for.
//!
//! Source: DICOM PS3.3 A.32.5 and A.51, PS3.5 8.2.7 and A.4.6.

mod file;
mod masks;
mod set;
mod transport;
mod video;

use std::time::Duration;

use clap::{Args, ValueEnum};
use dicom_dictionary_std::tags;
use polyp::frame::Size;
use polyp::metric::to_picture;
use polyp::session::{Player, Record};

use super::{Export, Provenance};
use crate::cli::failure::Failure;
use crate::cli::frames::{Frame, Frames, Progress};
use masks::Segmenting;
use set::{Code, Set, new_uid};
use transport::Transport;
use video::{Recorder, Video};

/// What only DICOM has.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Options of --as dicom")]
pub(super) struct DicomOptions {
    /// The patient's name, as DICOM writes names: FAMILY^GIVEN
    #[arg(long, value_name = "NAME")]
    patient_name: Option<String>,
    /// The patient's identifier
    #[arg(long, value_name = "ID")]
    patient_id: Option<String>,
    /// The study that this belongs to [default: one of its own]
    #[arg(long, value_name = "UID")]
    study_uid: Option<String>,
    /// What the endoscope is in
    #[arg(long, value_name = "REGION", default_value = "colon")]
    region: Region,
    /// Write when the session was recorded
    #[arg(long)]
    dates: bool,
    /// Code the video anew, which loses a little; without it H.264 is copied, and anything else refused
    #[arg(long)]
    encode: bool,
}

/// Where an endoscope may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Region {
    Esophagus,
    Stomach,
    Duodenum,
    #[default]
    Colon,
    Rectum,
}

impl Region {
    /// Its code, by SNOMED CT.
    const fn code(self) -> Code {
        match self {
            Self::Esophagus => Code("32849002", "SCT", "Esophagus"),
            Self::Stomach => Code("69695003", "SCT", "Stomach"),
            Self::Duodenum => Code("38848004", "SCT", "Duodenum"),
            Self::Colon => Code("71854001", "SCT", "Colon"),
            Self::Rectum => Code("34402009", "SCT", "Rectum"),
        }
    }
}

impl DicomOptions {
    /// The options that are given, by name.
    pub(super) fn given(&self) -> Option<&'static str> {
        let all = [
            (self.patient_name.is_some(), "--patient-name"),
            (self.patient_id.is_some(), "--patient-id"),
            (self.study_uid.is_some(), "--study-uid"),
            (self.region != Region::default(), "--region"),
            (self.dates, "--dates"),
            (self.encode, "--encode"),
        ];
        all.into_iter().find_map(|(given, name)| given.then_some(name))
    }

    fn check(&self) -> Result<(), Failure> {
        for (name, text) in [("--patient-name", &self.patient_name), ("--patient-id", &self.patient_id)] {
            let wrong = |text: &&String| {
                text.chars().count() > 64 || text.contains('\\') || text.chars().any(char::is_control)
            };
            if let Some(text) = text.as_ref().filter(wrong) {
                let expected = "at most 64 characters, without backslashes and control characters";
                return Err(Failure::Usage(format!("{name}: expected {expected}, found {text:?}")));
            }
        }
        let part = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_digit())
                && (part.len() == 1 || !part.starts_with('0'))
        };
        let wrong = |uid: &&String| uid.len() > 64 || !uid.contains('.') || !uid.split('.').all(part);
        match self.study_uid.as_ref().filter(wrong) {
            Some(uid) => Err(Failure::Usage(format!(
                "--study-uid: expected numbers without leading zeros between dots, at most 64 characters, found {uid:?}"
            ))),
            None => Ok(()),
        }
    }
}

/// What all instances of an export have in common.
struct Examination {
    options: DicomOptions,
    study: String,
    video_series: String,
    mask_series: String,
    /// Of this export: YYYYMMDD and HHMMSS, in UTC.
    date: String,
    time: String,
    /// When the session began, likewise; empty unless asked for.
    began: (String, String),
}

impl Examination {
    fn new(options: &DicomOptions, provenance: &Provenance) -> Self {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S").to_string();
        let began = provenance.about.began.parse::<jiff::Timestamp>().ok().filter(|_| options.dates);
        let began = began.map(|began| began.strftime("%Y%m%dT%H%M%S").to_string()).unwrap_or_default();
        let split = |text: &str| {
            text.split_once('T').map(|(date, time)| (date.to_owned(), time.to_owned())).unwrap_or_default()
        };
        let (date, time) = split(&now);
        Self {
            options: options.clone(),
            study: options.study_uid.clone().unwrap_or_else(new_uid),
            video_series: new_uid(),
            mask_series: new_uid(),
            date,
            time,
            began: split(&began),
        }
    }

    /// Patient, study, and what the instance is.
    fn common(&self, class: &str, uid: &str) -> Set {
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        let (date, time) = &self.began;
        Set::new()
            .text(tags::SPECIFIC_CHARACTER_SET, "ISO_IR 192")
            .text(tags::SOP_CLASS_UID, class)
            .text(tags::SOP_INSTANCE_UID, uid)
            .text(tags::STUDY_INSTANCE_UID, &self.study)
            .text(tags::STUDY_DATE, date)
            .text(tags::STUDY_TIME, time)
            .text(tags::STUDY_ID, "")
            .text(tags::ACCESSION_NUMBER, "")
            .text(tags::REFERRING_PHYSICIAN_NAME, "")
            .text(tags::PATIENT_NAME, of(&self.options.patient_name))
            .text(tags::PATIENT_ID, of(&self.options.patient_id))
            .text(tags::PATIENT_BIRTH_DATE, "")
            .text(tags::PATIENT_SEX, "")
    }
}

/// Exports.
pub(super) fn run(export: &Export, provenance: &Provenance) -> Result<(), Failure> {
    let options = &export.dicom;
    options.check()?;
    if !options.encode && export.privacy().covers() {
        let sentence = "--as dicom: what is coded can not be covered or left out; --encode codes it anew";
        return Err(Failure::Usage(sentence.to_owned()));
    }
    let examination = Examination::new(options, provenance);
    let mut writer = Writer { export, examination, videos: Vec::new(), recorder: None };
    let left_out = if options.encode { writer.encode(provenance)? } else { writer.copy()? };
    let frames: usize = writer.videos.iter().map(|video| video.sequences.len()).sum();
    let (masks, files) = writer.masks(provenance)?;
    println!("{frames} frames in {} videos, {masks} masks in {files} segmentations", writer.videos.len());
    if export.drop_out_of_body {
        println!("{left_out} frames were left out: they do not look like the inside of a body");
    }
    println!("{}", export.out.display());
    Ok(())
}

struct Writer<'a> {
    export: &'a Export,
    examination: Examination,
    videos: Vec<Video>,
    recorder: Option<Recorder>,
}

impl Writer<'_> {
    fn finish(&mut self) -> Result<(), Failure> {
        if let Some(recorder) = self.recorder.take() {
            let number = self.videos.len() + 1;
            self.videos.push(recorder.finish(&self.examination, number)?);
        }
        Ok(())
    }

    fn begin(
        &mut self,
        transport: Transport,
        size: Size,
        framerate: gst::Fraction,
    ) -> Result<&mut Recorder, Failure> {
        self.finish()?;
        let number = self.videos.len() + 1;
        let recorder = Recorder::new(transport, &self.export.out, number, size, framerate)?;
        Ok(self.recorder.insert(recorder))
    }

    /// Copies what was coded.
    fn copy(&mut self) -> Result<u64, Failure> {
        let session = &self.export.session;
        let mut progress = Progress::new(session)?;
        let (mut file, mut first) = (None, None);
        for played in Player::open(session)? {
            let played = played?;
            match played.record {
                Record::Segment(segment) => {
                    if segment.codec != "h264" {
                        return Err(Failure::Usage(format!(
                            "--as dicom: {} is {}, and a DICOM video is H.264; --encode codes it anew, which loses a little",
                            polyp::session::segment_path(session, segment.index).display(),
                            segment.codec
                        )));
                    }
                    self.finish()?;
                    file = played.tracks.map(|tracks| (segment, tracks));
                }
                Record::Frame(frame) => {
                    let (Some(data), Some((segment, tracks))) = (played.data, &file) else { continue };
                    let first = *first.get_or_insert(frame.pts_ns);
                    progress.at(Duration::from_nanos(frame.pts_ns.saturating_sub(first)));
                    let full = self.recorder.as_ref().is_none_or(|r| r.is_full() && played.key);
                    if full {
                        let (rate, scale) = segment.framerate;
                        let rate = gst::Fraction::new(rate.cast_signed(), scale.max(1).cast_signed());
                        let transport = Transport::of_packets(tracks, rate)?;
                        self.begin(transport, Size::new(segment.width, segment.height), rate)?;
                    }
                    if let Some(recorder) = &mut self.recorder {
                        let time = Duration::from_nanos(frame.pts_ns);
                        recorder.push(data, played.key, time, frame.sequence)?;
                    }
                }
                _ => {}
            }
        }
        self.finish()?;
        Ok(0)
    }

    /// Decodes, covers and codes anew; how many frames were left out.
    fn encode(&mut self, provenance: &Provenance) -> Result<u64, Failure> {
        let privacy = self.export.privacy();
        let mut frames = Frames::open(&self.export.session)?;
        let mut progress = Progress::new(&self.export.session)?;
        let (mut region, mut left_out) = (provenance.region, 0);
        while let Some(frame) = frames.next()? {
            progress.at(frame.time);
            let mut picture = frames.picture(&frame)?;
            let size = Size::new(picture.width(), picture.height());
            region = frame.mask.as_ref().map(|mask| mask.placement.source).or(region);
            if !privacy.apply(&mut picture, region.unwrap_or(polyp::frame::Rect::whole(size)))? {
                left_out += 1;
                continue;
            }
            if self.recorder.as_ref().is_none_or(|r| r.is_full() || r.size() != size) {
                let rate = frame.framerate();
                self.begin(Transport::of_pictures(size, rate)?, size, rate)?;
            }
            if let Some(recorder) = &mut self.recorder {
                recorder.push(picture.into_raw(), true, frame.time, frame.sequence)?;
            }
        }
        self.finish()?;
        Ok(left_out)
    }

    /// The masks of the frames that are in the videos; how many, and in how many files.
    fn masks(&self, provenance: &Provenance) -> Result<(u64, usize), Failure> {
        let mut frames = Frames::open(&self.export.session)?;
        let mut places = self.places();
        let mut next = places.next();
        let (mut seen, mut written, mut files) = (0_u64, 0, 0);
        let mut open: Option<Segmenting> = None;
        let mut finish = |open: Option<Segmenting>| match open {
            Some(segmenting) => {
                files += 1;
                let engine = segmenting.by.and_then(|by| provenance.engine_number(by));
                let video = &self.videos[segmenting.of];
                segmenting
                    .finish(&self.examination, files, video, engine, self.export.threshold)
                    .map(|()| files)
            }
            None => Ok(files),
        };
        while let Some(frame) = frames.next()? {
            // Both are in the order in which they were recorded; what is not in a video was left out.
            let Some((video, number, _)) = next.filter(|(_, _, sequence)| *sequence == frame.sequence) else {
                continue;
            };
            next = places.next();
            let Some(mask) = &frame.mask else { continue };
            seen += 1;
            if !(seen - 1_u64).is_multiple_of(self.export.every) {
                continue;
            }
            let by = by(provenance, &frame);
            let full = |s: &Segmenting| s.is_full() || s.of != video || s.by != by;
            if open.as_ref().is_none_or(full) {
                let files = finish(open.take())?;
                let size = self.videos[video].size;
                open = Some(Segmenting::new(&self.export.out, files + 1, video, by, size)?);
            }
            if let Some(segmenting) = &mut open {
                let inside: Vec<bool> = to_picture(mask, self.videos[video].size)
                    .iter()
                    .map(|p| *p >= self.export.threshold)
                    .collect();
                segmenting.push(number, &inside)?;
                written += 1;
            }
        }
        let files = finish(open.take())?;
        Ok((written, files))
    }

    /// For each frame of the videos: which, DICOM's number of the frame in it, and the frame's own number.
    fn places(&self) -> impl Iterator<Item = (usize, u32, u64)> {
        self.videos.iter().enumerate().flat_map(|(video, of)| {
            (1..).zip(&of.sequences).map(move |(number, sequence)| (video, number, *sequence))
        })
    }
}

fn by(provenance: &Provenance, frame: &Frame) -> Option<usize> {
    let time = u64::try_from(frame.time.as_nanos()).unwrap_or(u64::MAX);
    provenance.engine(provenance.first_ns.saturating_add(time)).map(|(number, _)| number)
}
