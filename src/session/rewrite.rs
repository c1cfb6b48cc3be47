//! The journal of a session that is repaired, written anew: lines for frames that had none, and no file for those that are lost.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::journal::{Read, Reader, Writer};
use super::matroska::{Scan, VIDEO};
use super::pairs::{Pairs, track};
use super::{
    EndRecord, FrameRecord, JOURNAL_FILE, MaskRecord, Placed, Record, RepairRecord, Repaired, SegmentRecord,
    SessionError, TICK_NS,
};

/// Why a frame or mask that was recorded is in no file.
const LOST: &str = "lost";

/// One file, as it is after its repair, and what the journal says of it.
pub(super) struct Part {
    pub(super) scan: Scan,
    pub(super) record: SegmentRecord,
    /// Whether the journal had that record.
    pub(super) known: bool,
    pub(super) bytes: u64,
    pub(super) video: Pairs,
    pub(super) masks: Pairs,
    /// How many lines of each were passed while the journal is written anew.
    pub(super) next: (usize, usize),
    /// The next block of the video that has not been written a line of.
    pub(super) due: usize,
}

/// Writes the journal anew, with lines for frames that had none, and without files for those that are lost.
pub(super) fn rewrite(
    folder: &Path,
    journal: &Path,
    parts: &mut BTreeMap<u32, Part>,
    repaired: &Repaired,
) -> Result<(), SessionError> {
    let draft = folder.join(format!("{JOURNAL_FILE}.new"));
    let _absent = fs::remove_file(&draft);
    let mut writer = Writer::create(&draft)?;
    let (mut last_ns, mut ended, mut masks) = (0, None, HashSet::new());
    for part in parts.values().filter(|part| !part.known) {
        writer.push(Record::Segment(Box::new(part.record.clone())))?;
    }
    for read in Reader::open(journal)? {
        let Read::Good(line) = read? else { continue };
        let mut record = line.record;
        ended = None;
        match &mut record {
            Record::Frame(frame) => {
                last_ns = last_ns.max(frame.pts_ns);
                if let Some(pts_ns) = frame.mask_pts_ns.filter(|pts_ns| masks.insert(*pts_ns)) {
                    writer.push(Record::Mask(Box::new(MaskRecord::lost(pts_ns))))?;
                }
                let in_file = frame.segment.zip(frame.block_crc).map(|(index, _)| index);
                if in_file.is_none() && frame.segment.take().is_some() {
                    frame.dropped = Some(LOST.to_owned());
                }
                if let Some(index) = in_file {
                    let part = parts.get_mut(&index);
                    let block = part.and_then(|part| {
                        let block = part.video.of_lines.get(part.next.0).copied().flatten();
                        part.next.0 += 1;
                        block.map(|block| (part, block))
                    });
                    match block {
                        Some((part, block)) => {
                            part.tell_found(block, &mut writer)?;
                            part.due = block + 1;
                        }
                        None => {
                            (frame.segment, frame.block_crc, frame.pixels_crc) = (None, None, None);
                            frame.dropped = Some(LOST.to_owned());
                        }
                    }
                }
            }
            Record::Mask(mask) => {
                masks.insert(mask.pts_ns);
                let in_file = mask.segment.zip(mask.block_crc).map(|(index, _)| index);
                if in_file.is_none() && mask.segment.take().is_some() {
                    mask.dropped = Some(LOST.to_owned());
                }
                if let Some(index) = in_file {
                    let block = parts.get_mut(&index).and_then(|part| {
                        let block = part.masks.of_lines.get(part.next.1).copied().flatten();
                        part.next.1 += 1;
                        block
                    });
                    if block.is_none() {
                        (mask.segment, mask.block_crc) = (None, None);
                        mask.dropped = Some(LOST.to_owned());
                    }
                }
            }
            Record::End(end) => {
                ended = Some(end.clone());
                continue;
            }
            _ => {}
        }
        writer.push(record)?;
        if writer.waiting() > 1 << 20 {
            writer.commit()?;
        }
    }
    for (index, part) in parts.iter_mut() {
        last_ns = last_ns.max(part.tell_found(usize::MAX, &mut writer)?);
        let (lost, found) = (part.video.lost() + part.masks.lost(), part.video.found());
        if part.bytes > 0 || lost + found > 0 {
            let (segment, lost, found) = (Some(*index), lost as u64, found as u64);
            writer.push(Record::Repair(RepairRecord { segment, bytes: part.bytes, lost, found }))?;
        }
    }
    let whole =
        RepairRecord { segment: None, bytes: repaired.bytes, lost: repaired.lost, found: repaired.found };
    writer.push(Record::Repair(whole))?;
    let reason = ended.map_or_else(|| "it was broken off, and repaired".to_owned(), |end| end.reason);
    writer.push(Record::End(EndRecord { pts_ns: last_ns, reason }))?;
    writer.commit()?;
    let swap = || -> io::Result<()> {
        let mut kept = folder.join(format!("{JOURNAL_FILE}.before-repair"));
        let mut count = 1;
        while kept.exists() {
            count += 1;
            kept = folder.join(format!("{JOURNAL_FILE}.before-repair-{count}"));
        }
        fs::hard_link(journal, &kept)?;
        fs::rename(&draft, journal)?;
        File::open(folder)?.sync_all()
    };
    swap().map_err(SessionError::file("it can not be replaced", journal))
}

impl MaskRecord {
    /// A mask that was shown, and of which nothing else is known.
    fn lost(pts_ns: u64) -> Self {
        let placed = Placed { source: [0; 4], target: [0; 4], side: 0 };
        let dropped = Some(LOST.to_owned());
        Self { segment: None, sequence: 0, pts_ns, placed, cells_crc: 0, block_crc: None, dropped }
    }
}

impl Part {
    /// Writes lines for the frames before block number `until` that have none; the time of the last of them.
    fn tell_found(&mut self, until: usize, writer: &mut Writer) -> Result<u64, SessionError> {
        let mut last_ns = 0;
        let until = until.min(self.video.blocks);
        if self.due >= until {
            return Ok(last_ns);
        }
        for block in track(&self.scan, VIDEO).take(until).skip(self.due) {
            let pts_ns = self.record.base_ns.saturating_add(block.tick.unsigned_abs() * TICK_NS);
            last_ns = pts_ns;
            writer.push(Record::Frame(Box::new(FrameRecord {
                pts_ns,
                segment: Some(self.record.index),
                block_crc: Some(block.crc),
                badge: "unknown".to_owned(),
                ..FrameRecord::default()
            })))?;
        }
        self.due = until;
        Ok(last_ns)
    }
}
