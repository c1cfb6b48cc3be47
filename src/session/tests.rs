use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use tempfile::TempDir;

use super::matroska::{Layout, MASKS, Track, VIDEO};
use super::*;
use crate::frame::Size;
use crate::random::Random;

const FRAME_NS: u64 = 40_000_000;

fn about() -> About {
    let text = str::to_owned;
    About {
        format: text(FORMAT),
        version: VERSION,
        began: text("2026-11-29T12:00:00Z"),
        clock: Clock { name: text("test"), running_ns: 7, unix_ns: 1_764_417_600_000_000_000 },
        software: Software {
            polyp: text("0"),
            gstreamer: text("0"),
            video_encoder: text("none"),
            mask_encoder: text("none"),
        },
    }
}

fn layout() -> Layout {
    let track = |number, codec: &str| Track {
        number,
        name: "track".to_owned(),
        codec: codec.to_owned(),
        private: vec![9; 40],
        size: Size::new(64, 48),
        colour: None,
        frame_ns: Some(FRAME_NS),
    };
    let unix_ns = about().clock.unix_ns;
    let tracks = vec![track(VIDEO, matroska::H264), track(MASKS, matroska::FFV1)];
    Layout { title: "test".to_owned(), unix_ns, tracks }
}

fn segment(base_ns: u64) -> SegmentRecord {
    SegmentRecord {
        index: 0,
        base_ns,
        format: "NV12".to_owned(),
        width: 64,
        height: 48,
        colorimetry: "bt709".to_owned(),
        framerate: (25, 1),
        codec: "h264".to_owned(),
        coded: "I420".to_owned(),
        mask_side: 8,
        header: String::new(),
    }
}

fn time(frame: u64) -> u64 {
    7 + frame * FRAME_NS
}

/// What is recorded of frame number `frame`: every fifth is dropped.
fn record(frame: u64) -> FrameRecord {
    let mask = frame.checked_sub(2).map(|mask| mask / 2 * 2).map(time);
    FrameRecord {
        sequence: frame,
        pts_ns: time(frame),
        dropped: (frame % 5 == 4).then(|| "queue".to_owned()),
        badge: if mask.is_some() { "held" } else { "no-mask" }.to_owned(),
        mask_pts_ns: mask,
        mask_age_ns: mask.map(|mask| time(frame) - mask),
        motion: Some([1.0, 0.1, 0.3, 1e-7, -0.2, 1.0, 0.9]),
        ..FrameRecord::default()
    }
}

fn data(frame: u64) -> Vec<u8> {
    let mut random = Random::new(&[frame]);
    (0..300 + frame % 50).map(|_| random.below(256) as u8).collect()
}

/// A session of `frames` frames in two files, with masks that come two frames late.
fn session(frames: u64, end: bool) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut recording = Recording::begin(&folder.path().join("s"), &about()).unwrap();
    for frame in 0..frames {
        if frame % (frames / 2).max(1) == 0 && frame / (frames / 2).max(1) < 2 {
            recording.segment(&layout(), segment(time(frame))).unwrap();
        }
        if frame % 2 == 0 && frame >= 2 {
            let mask = MaskRecord {
                segment: None,
                sequence: frame - 2,
                pts_ns: time(frame - 2),
                placed: Placed { source: [0, 0, 64, 48], target: [0, 0, 8, 8], side: 8 },
                cells_crc: 1,
                block_crc: None,
                dropped: None,
            };
            recording.mask(mask, Some(&frame.to_le_bytes())).unwrap();
        }
        let (record, data) = (record(frame), data(frame));
        let coded = Coded { data: &data, key: frame % 10 == 0 };
        let coded = record.dropped.is_none().then_some(coded);
        recording.frame(record, coded).unwrap();
        if frame == 3 {
            recording
                .note(Record::Mark(MarkRecord { pts_ns: time(frame), text: "look".to_owned() }))
                .unwrap();
        }
    }
    if end {
        recording.end("stopped").unwrap();
    } else {
        recording.flush().unwrap();
    }
    folder
}

/// The frames that a session gives back, with their pictures.
fn frames(folder: &Path) -> Vec<(FrameRecord, Option<Vec<u8>>)> {
    let played = Player::open(folder).unwrap().map(Result::unwrap);
    let frame = |played: Played| match played.record {
        Record::Frame(frame) => Some((*frame, played.data)),
        _ => None,
    };
    played.filter_map(frame).collect()
}

#[test]
fn what_was_recorded_is_played() {
    let folder = session(200, true);
    let folder = folder.path().join("s");
    let found = agreement(&folder).unwrap();
    assert_eq!(found.wrong, Vec::<String>::new());
    assert_eq!((found.frames, found.recorded, found.masks, found.marks), (200, 160, 99, 1));
    assert_eq!((found.segments, found.length_ns), (2, 199 * FRAME_NS));
    let played = frames(&folder);
    assert_eq!(played.len(), 200);
    for (frame, (line, picture)) in (0..).zip(played) {
        let expected = record(frame);
        assert_eq!(picture, expected.dropped.is_none().then(|| data(frame)));
        let (segment, block_crc) = (line.segment, line.block_crc);
        assert_eq!(line, FrameRecord { segment, block_crc, ..expected });
    }
    let masks = Player::open(&folder).unwrap().map(Result::unwrap).filter_map(|played| match played.record {
        Record::Mask(mask) => Some((mask.segment, mask.sequence, played.data)),
        _ => None,
    });
    for (index, (file, sequence, data)) in masks.enumerate() {
        let frame = 2 * index as u64 + 2;
        // The mask of the first file's last frames comes while the second is written.
        assert_eq!((file, sequence), (Some(u32::from(frame - 2 >= 100)), frame - 2));
        assert_eq!(data.unwrap(), frame.to_le_bytes());
    }
    assert!(repair(&folder).unwrap().was_whole());
}

#[test]
fn what_was_broken_off_is_made_whole() {
    let folder = session(120, false);
    let folder = folder.path().join("s");
    let wrong = agreement(&folder).unwrap().wrong;
    assert!(wrong.iter().any(|sentence| sentence.contains("no end")), "{wrong:?}");
    assert!(wrong.iter().any(|sentence| sentence.contains("was not finished")), "{wrong:?}");
    let before = frames(&folder);
    let repaired = repair(&folder).unwrap();
    // The first file was finished when the second was two seconds old.
    assert_eq!((repaired.mended, repaired.lost, repaired.found), (1, 0, 0));
    assert_eq!(agreement(&folder).unwrap().wrong, Vec::<String>::new());
    assert_eq!(frames(&folder), before);
    assert!(repair(&folder).unwrap().was_whole(), "a second repair has nothing to do");
}

#[test]
fn who_records_is_not_disturbed() {
    let folder = tempfile::tempdir().unwrap();
    let recording = Recording::begin(&folder.path().join("s"), &about()).unwrap();
    let error = repair(recording.folder()).unwrap_err().to_string();
    assert!(error.contains("is being recorded"), "{error}");
    let again = Recording::begin(recording.folder(), &about()).unwrap_err().to_string();
    assert!(again.contains("can not be made"), "{again}");
}

/// Copies a session.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The frames that are whole in every file: those that the damage at `from` can not have touched.
fn untouched(all: &[(FrameRecord, Option<Vec<u8>>)], segment: u32, lost_ns: (u64, u64)) -> usize {
    let is_elsewhere = |frame: &FrameRecord| {
        frame.segment != Some(segment) || frame.pts_ns < lost_ns.0 || frame.pts_ns > lost_ns.1
    };
    all.iter().filter(|(frame, picture)| picture.is_some() && is_elsewhere(frame)).count()
}

/// After damage to `file`, a repair leaves a session that agrees; it holds every frame but those of `lost_ns` in that file.
fn survives(
    folder: &Path,
    whole: &[(FrameRecord, Option<Vec<u8>>)],
    segment: u32,
    lost_ns: (u64, u64),
    what: &str,
) {
    repair(folder).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(agreement(folder).unwrap().wrong, Vec::<String>::new(), "{what}");
    let after = frames(folder);
    let pictures = after.iter().filter_map(|(_, picture)| picture.as_ref());
    let kept = pictures.clone().count();
    assert!(kept >= untouched(whole, segment, lost_ns), "{what}: {kept} pictures");
    let known: Vec<&Vec<u8>> = whole.iter().filter_map(|(_, picture)| picture.as_ref()).collect();
    let mut at = 0;
    for picture in pictures {
        // In their order, and none that was not recorded.
        at += known[at..].iter().position(|known| *known == picture).expect(what) + 1;
    }
    assert!(repair(folder).unwrap().was_whole(), "{what}: a second repair has something to do");
}

#[test]
fn files_cut_off_at_any_of_200_places_lose_a_second_at_most() {
    let original = session(200, false);
    let original = original.path().join("s");
    let whole = frames(&original);
    let mut random = Random::new(&[11]);
    for round in 0..200 {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("s");
        copy(&original, &folder);
        let index = random.below(2) as u32;
        let name = ["000000.mkv", "000001.mkv", JOURNAL_FILE][random.below(3)];
        let path = folder.join(name);
        let length = random.below(fs::metadata(&path).unwrap().len() as usize + 1) as u64;
        OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
        let what = format!("round {round}: {name} cut at {length}");
        if name == JOURNAL_FILE {
            // Every picture is there: what the lost lines said of them is not known, and that is said.
            survives(&folder, &whole, index, (u64::MAX, 0), &what);
            continue;
        }
        let cut = matroska::scan(&path).unwrap();
        let segment = u32::from(name == "000001.mkv");
        let blocks = cut.clusters.iter().flat_map(|c| &c.blocks).filter(|block| block.track == VIDEO);
        let base = time(100 * u64::from(segment));
        // What comes after the last whole cluster is lost; how little that is says the next test.
        let lost = blocks.map(|block| block.tick).max().map_or(0, |tick| base + tick as u64 * TICK_NS + 1);
        survives(&folder, &whole, segment, (lost, u64::MAX), &what);
    }
}

#[test]
fn a_cut_file_loses_less_than_a_cluster_of_what_was_in_it() {
    let original = session(200, false);
    let path = segment_path(&original.path().join("s"), 0);
    let whole = matroska::scan(&path).unwrap();
    let mut random = Random::new(&[5]);
    for _ in 0..200 {
        let length = whole.header + random.below((whole.bytes - whole.header) as usize) as u64;
        let cut = tempfile::NamedTempFile::new().unwrap();
        fs::write(cut.path(), &fs::read(&path).unwrap()[..length as usize]).unwrap();
        let found = matroska::scan(cut.path()).unwrap();
        let newest_before = |end: u64| {
            let blocks = whole.clusters.iter().flat_map(|cluster| &cluster.blocks);
            blocks.filter(|block| block.at + block.bytes <= end).map(|block| block.tick).max().unwrap_or(0)
        };
        assert!(newest_before(length) - newest_before(found.end) <= 1000);
    }
}

#[test]
fn torn_writes_lose_the_clusters_that_they_are_in() {
    let original = session(200, true);
    let original = original.path().join("s");
    let whole = frames(&original);
    let mut random = Random::new(&[23]);
    for round in 0..100 {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("s");
        copy(&original, &folder);
        let segment = random.below(2) as u32;
        let path = if round % 3 == 2 { folder.join(JOURNAL_FILE) } else { segment_path(&folder, segment) };
        let bytes = fs::metadata(&path).unwrap().len();
        let (at, length) = (random.below(bytes as usize) as u64, 1 + random.below(4096) as u64);
        let zeros = vec![if round % 2 == 0 { 0 } else { 0xA5 }; length.min(bytes - at) as usize];
        let lost = matroska::scan(&segment_path(&folder, segment)).unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&zeros, at).unwrap();
        let what = format!("round {round}: {} bytes of {} torn at {at}", zeros.len(), path.display());
        let range = if round % 3 == 2 {
            (u64::MAX, 0)
        } else {
            let base = time(100 * u64::from(segment));
            let hit = lost.clusters.iter().filter(|c| c.at < at + length && c.at + c.bytes > at);
            let ticks: Vec<i64> = hit.flat_map(|cluster| &cluster.blocks).map(|block| block.tick).collect();
            let of = |tick: Option<&i64>| tick.map(|tick| base + *tick as u64 * TICK_NS);
            match (of(ticks.iter().min()), of(ticks.iter().max())) {
                (Some(first), Some(last)) => (first.saturating_sub(FRAME_NS), last + FRAME_NS),
                _ => (u64::MAX, 0),
            }
        };
        survives(&folder, &whole, segment, range, &what);
    }
}

#[test]
fn what_contradicts_itself_is_told() {
    let original = session(60, true);
    let original = original.path().join("s");
    let told = |change: &dyn Fn(&Path), expected: &str| {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("s");
        copy(&original, &folder);
        change(&folder);
        let told = match agreement(&folder) {
            Ok(found) => found.wrong.join("; "),
            Err(error) => error.to_string(),
        };
        assert!(told.contains(expected), "{expected}: {told}");
    };
    told(&|folder| fs::remove_file(segment_path(folder, 1)).unwrap(), "000001.mkv is missing");
    told(&|folder| fs::rename(segment_path(folder, 1), segment_path(folder, 0)).unwrap(), "are not in it");
    told(&|folder| fs::copy(segment_path(folder, 0), segment_path(folder, 2)).map(drop).unwrap(), "no line");
    let lines = |folder: &Path, change: &dyn Fn(&mut Vec<String>)| {
        let path = folder.join(JOURNAL_FILE);
        let text = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        fs::write(&path, lines.join("\n") + "\n").unwrap();
    };
    told(&|folder| lines(folder, &|lines| drop(lines.remove(9))), "line 9 is missing");
    told(&|folder| lines(folder, &|lines| lines[9] = lines[9].replace("held", "live")), "its checksum is");
    let forge = |lines: &mut Vec<String>, from: &str, to: &str| {
        let line = lines.iter_mut().find(|line| line.contains(from)).unwrap();
        let said = line[..line.len() - 18].replacen(from, to, 1);
        *line = format!("{said},\"crc\":\"{:08x}\"}}", crc32fast::hash(said.as_bytes()));
    };
    told(&|folder| lines(folder, &|lines| forge(lines, "\"held\"", "\"live\"")), "contradict");
    told(
        &|folder| lines(folder, &|lines| forge(lines, "\"mask_age_ns\":80000000", "\"mask_age_ns\":8")),
        "mask's age",
    );
    told(
        &|folder| lines(folder, &|lines| forge(lines, "\"block_crc\":", "\"block_crc\":1,\"was\":")),
        "are not in",
    );
}

#[test]
fn other_folders_and_later_versions_are_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: Option<&str>, expected: &str| {
        if let Some(text) = text {
            fs::write(folder.path().join(ABOUT_FILE), text).unwrap();
        }
        let error = Player::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(ABOUT_FILE) && error.contains(expected), "{error}");
    };
    refused(None, "a session's folder has it");
    refused(Some("{}"), "missing field");
    let text = serde_json::to_string(&About { version: 2, ..about() }).unwrap();
    refused(Some(&text), "found version 2; a newer polyp may read it");
    let text = serde_json::to_string(&About { format: "x".to_owned(), ..about() }).unwrap();
    refused(Some(&text), "expected format \"polyp-session\", found \"x\"");
}
