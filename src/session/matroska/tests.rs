use std::fs;
use std::path::Path;

use super::*;
use crate::frame::Size;

fn layout() -> Layout {
    let track = |number, codec: &str, name: &str| Track {
        number,
        name: name.to_owned(),
        codec: codec.to_owned(),
        private: vec![1, 2, 3],
        size: Size::new(64, 48),
        colour: Some(Colour { matrix: 1, range: 1 }),
        frame_ns: Some(40_000_000),
    };
    let tracks = vec![track(VIDEO, H264, "video"), track(MASKS, FFV1, "masks")];
    Layout { title: "test".to_owned(), unix_ns: 1_700_000_000_000_000_000, tracks }
}

/// Writes 50 frames at 25 a second, with a mask for every second one.
fn write(path: &Path, finish: bool) {
    let mut writer = Writer::create(path, &layout()).unwrap();
    for frame in 0..50_i64 {
        let tick = frame * 40;
        if writer.is_due(tick) {
            writer.flush().unwrap();
        }
        if frame % 2 == 0 {
            writer.push(MASKS, (tick - 80).max(0), true, &[frame as u8; 10]);
        }
        writer.push(VIDEO, tick, frame % 25 == 0, &vec![frame as u8; 500 + frame as usize]);
    }
    if finish { writer.finish().unwrap() } else { writer.flush().unwrap() }
}

#[test]
fn what_is_written_is_found() {
    let folder = tempfile::tempdir().unwrap();
    for finish in [false, true] {
        let path = folder.path().join(format!("{finish}.mkv"));
        write(&path, finish);
        let scan = scan(&path).unwrap();
        let tracks = scan.tracks.as_ref().unwrap();
        assert_eq!(tracks.of(VIDEO), Some((H264, &[1, 2, 3][..], Size::new(64, 48))));
        assert_eq!(tracks.of(MASKS).unwrap().0, FFV1);
        assert_eq!((scan.finished, scan.damaged.len(), scan.end), (finish, 0, scan.bytes));
        // 13 frames in each: 12 * 40 ms are less than half a second.
        assert_eq!(scan.clusters.len(), 4);
        let blocks: Vec<&Block> = scan.clusters.iter().flat_map(|cluster| &cluster.blocks).collect();
        let video: Vec<&&Block> = blocks.iter().filter(|block| block.track == VIDEO).collect();
        let ticks: Vec<i64> = video.iter().map(|block| block.tick).collect();
        assert_eq!(ticks, (0..50).map(|frame| frame * 40).collect::<Vec<_>>());
        let keys = video.iter().filter(|block| block.key).map(|block| block.tick).collect::<Vec<_>>();
        assert_eq!(keys, [0, 1000]);
        let masks = blocks.iter().filter(|block| block.track == MASKS).count();
        assert_eq!(masks, 25);
        let mut read = Blocks::open(&path).unwrap();
        for frame in 0..50_u8 {
            let (block, data) = read.next_of(VIDEO).unwrap().unwrap();
            assert_eq!((&&block, data), (video[usize::from(frame)], vec![frame; 500 + usize::from(frame)]));
        }
        assert_eq!(read.next_of(VIDEO).unwrap(), None);
        assert_eq!(read.next_of(MASKS).unwrap().unwrap().1, [0; 10]);
        let cues: Vec<i64> = scan.cues().iter().map(|cue| cue.tick).collect();
        assert_eq!(cues, [0, 1000]);
    }
}

#[test]
fn damage_is_found_and_what_lies_behind_it_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mkv");
    write(&path, true);
    let whole = scan(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let second = &whole.clusters[1];
    bytes[(second.at + second.bytes / 2) as usize] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let damaged = scan(&path).unwrap();
    assert_eq!(damaged.damaged, vec![second.at..second.at + second.bytes]);
    assert_eq!(damaged.clusters, [&whole.clusters[..1], &whole.clusters[2..]].concat());
    assert!(!damaged.finished);
    // A header that is gone takes nothing else along.
    bytes[..100].fill(0);
    fs::write(&path, &bytes).unwrap();
    let headless = scan(&path).unwrap();
    assert_eq!((headless.tracks, headless.header), (None, whole.header));
    assert_eq!(headless.clusters.len(), 3);
}

#[test]
fn every_length_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mkv");
    write(&path, true);
    let bytes = fs::read(&path).unwrap();
    let whole = scan(&path).unwrap();
    for length in (0..bytes.len()).step_by(37) {
        fs::write(&path, &bytes[..length]).unwrap();
        let cut = scan(&path).unwrap();
        let expected = whole.clusters.iter().filter(|c| c.at + c.bytes <= length as u64).count();
        assert_eq!(cut.clusters.len(), expected, "{length}");
        assert_eq!(cut.tracks.is_some(), length as u64 >= whole.header, "{length}");
    }
}

#[test]
fn no_file_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mkv");
    write(&path, true);
    let before = fs::read(&path).unwrap();
    let error = Writer::create(&path, &layout()).unwrap_err().to_string();
    assert!(error.contains("a.mkv") && error.contains("can not be made"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}
