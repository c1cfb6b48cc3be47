//! Whether video, masks and journal of a session say the same.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use super::journal::records;
use super::matroska::{self, MASKS, VIDEO};
use super::pairs::{Pairs, Said, track};
use super::repair::indices;
use super::{
    About, FrameRecord, JOURNAL_FILE, Lock, Record, SegmentRecord, SessionError, segment_path, ticks,
};

/// How many faults are told.
const TOLD: usize = 20;

/// What a session holds, and where it contradicts itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Files.
    pub segments: usize,
    /// Frames that passed while it was recorded.
    pub frames: u64,
    /// Frames in the files.
    pub recorded: u64,
    /// Masks in the files.
    pub masks: u64,
    /// Moments that were marked.
    pub marks: u64,
    /// Frames that passed of which nothing else is known.
    pub uncounted: u64,
    /// Repairs that found something missing.
    pub repairs: u64,
    /// How long it is, from the first frame to the last.
    pub length_ns: u64,
    /// What does not agree; at most twenty sentences.
    pub wrong: Vec<String>,
}

impl Agreement {
    fn wrong(&mut self, sentence: impl FnOnce() -> String) {
        if self.wrong.len() < TOLD {
            self.wrong.push(sentence());
        }
    }
}

/// What was heard of one file.
#[derive(Default)]
struct Heard {
    record: Option<SegmentRecord>,
    frames: Vec<(u64, u32)>,
    masks: Vec<(u64, u32)>,
}

/// Looks whether every line of the journal of the session in `folder` has its block, and every block its line; whether each is to the byte
/// what was written; and whether lines go together. What the blocks decode to is not looked at here.
///
/// # Errors
/// [`SessionError`] when it is no session, is being recorded, or the journal is damaged.
pub fn agreement(folder: &Path) -> Result<Agreement, SessionError> {
    About::read(folder)?;
    let _lock = Lock::share(folder)?;
    let (mut found, mut files) = (Agreement::default(), BTreeMap::<u32, Heard>::new());
    let (mut next, mut first_ns, mut last_ns, mut ended) = (0, None, 0, false);
    let mut masks = HashSet::new();
    for line in records(&folder.join(JOURNAL_FILE))? {
        let line = line?;
        if line.n != next {
            found.wrong(|| format!("the journal's line {next} is missing, and {} follows", line.n));
        }
        next = line.n + 1;
        if ended {
            found.wrong(|| format!("line {} of the journal comes after its end", line.n));
        }
        match line.record {
            Record::Segment(segment) => {
                let index = segment.index;
                if files.entry(index).or_default().record.replace(*segment).is_some() {
                    found.wrong(|| format!("file {index} begins twice"));
                }
            }
            Record::Frame(frame) => {
                found.frames += 1;
                first_ns.get_or_insert(frame.pts_ns);
                last_ns = last_ns.max(frame.pts_ns);
                judge(&frame, &masks, &mut found);
                if let Some((index, crc)) = frame.segment.zip(frame.block_crc) {
                    found.recorded += 1;
                    files.entry(index).or_default().frames.push((frame.pts_ns, crc));
                }
            }
            Record::Mask(mask) => {
                masks.insert(mask.pts_ns);
                if let Some((index, crc)) = mask.segment.zip(mask.block_crc) {
                    found.masks += 1;
                    files.entry(index).or_default().masks.push((mask.pts_ns, crc));
                }
            }
            Record::Mark(_) => found.marks += 1,
            Record::Uncounted(uncounted) => found.uncounted += uncounted.frames,
            Record::Repair(_) => found.repairs += 1,
            Record::End(_) => ended = true,
            Record::Engine(_) | Record::Settings(_) => {}
        }
    }
    found.length_ns = last_ns.saturating_sub(first_ns.unwrap_or(last_ns));
    if !ended {
        found.wrong(|| {
            "the journal has no end: the recording was broken off; `polyp repair` makes it whole".to_owned()
        });
    }
    for index in indices(folder)? {
        files.entry(index).or_default();
    }
    found.segments = files.len();
    for (index, heard) in files {
        compare(folder, index, &heard, &mut found)?;
    }
    Ok(found)
}

/// Whether a frame's line goes together with itself, and with the masks before it.
fn judge(frame: &FrameRecord, masks: &HashSet<u64>, found: &mut Agreement) {
    let at = frame.sequence;
    if frame.segment.is_some() == frame.dropped.is_some() {
        found.wrong(|| format!("frame {at}: expected either its file or why it was dropped"));
    }
    let age = frame.mask_pts_ns.map(|mask| frame.pts_ns.checked_sub(mask));
    if age.is_some_and(|age| age.is_none() || age != frame.mask_age_ns) {
        found.wrong(|| format!("frame {at}: its mask's age is not the time from the mask's frame to it"));
    }
    let shows = match frame.badge.as_str() {
        "live" => frame.mask_age_ns == Some(0),
        "held" => frame.mask_age_ns.is_some_and(|age| age > 0),
        _ => frame.mask_age_ns.is_none(),
    };
    if !shows {
        found.wrong(|| {
            format!("frame {at}: badge {:?} and mask age {:?} contradict", frame.badge, frame.mask_age_ns)
        });
    }
    if frame.mask_pts_ns.is_some_and(|mask| !masks.contains(&mask)) {
        found.wrong(|| format!("frame {at}: it shows a mask that the journal does not know"));
    }
}

/// Whether a file holds what its lines say.
fn compare(folder: &Path, index: u32, heard: &Heard, found: &mut Agreement) -> Result<(), SessionError> {
    let path = segment_path(folder, index);
    if !path.exists() {
        found.wrong(|| format!("{} is missing", path.display()));
        return Ok(());
    }
    let scan = matroska::scan(&path)?;
    if !scan.damaged.is_empty() || scan.tracks.is_none() {
        let bytes: u64 = scan.damaged.iter().map(|range| range.end - range.start).sum();
        found.wrong(|| {
            format!("{}: {bytes} bytes are damaged; `polyp repair` makes it whole", path.display())
        });
    } else if !scan.finished {
        found.wrong(|| format!("{} was not finished; `polyp repair` makes it whole", path.display()));
    }
    let Some(record) = &heard.record else {
        found.wrong(|| format!("{} has no line in the journal", path.display()));
        return Ok(());
    };
    for (number, what, lines) in [(VIDEO, "frames", &heard.frames), (MASKS, "masks", &heard.masks)] {
        let said = lines.iter().map(|&(pts_ns, crc)| Said { tick: ticks(pts_ns, record.base_ns), crc });
        let pairs = Pairs::find(&said.collect::<Vec<_>>(), track(&scan, number));
        if pairs.lost() > 0 {
            found.wrong(|| {
                format!("{}: {} {what} of the journal are not in it", path.display(), pairs.lost())
            });
        }
        // A mask whose line is gone stays in the file, and nothing shows it: that is a repair's business.
        if pairs.found() > 0 && (number == VIDEO || found.repairs == 0) {
            let more = pairs.found();
            found.wrong(|| format!("{}: {more} {what} are not in the journal", path.display()));
        }
    }
    Ok(())
}
