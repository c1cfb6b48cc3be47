//! What a recorded session is made of. Checksums are mended first: nobody's damage gets past them by chance, and whoever forges a file
//! mends them too.

use polyp::session::journal::Line;
use polyp::session::matroska::{Blocks, MASKS, VIDEO, scan};
use polyp::session::{Player, StreamReader, StreamWriter, Streamed, agreement, repair};

use crate::{file, place, taken};

/// A line that is taken is the same when it is written and read again.
pub(crate) fn journal(bytes: &[u8]) {
    for line in bytes.split(|byte| *byte == b'\n') {
        // Refused or not, by its own checksum.
        drop(Line::read(line));
        let Ok(line) = Line::read(&summed(line)) else { continue };
        let again = line.write().unwrap();
        assert_eq!(Line::read(again.trim_end().as_bytes()).as_ref(), Ok(&line), "{again}");
    }
}

/// The line with the checksum that it should have.
fn summed(line: &[u8]) -> Vec<u8> {
    let said = line.strip_suffix(b"}").unwrap_or(line);
    let said =
        said.split_at_checked(said.len().saturating_sub(17)).filter(|(_, sum)| sum.starts_with(b",\"crc\":"));
    let said = said.map_or(line.strip_suffix(b"}").unwrap_or(line), |(said, _)| said);
    [said, format!(",\"crc\":\"{:08x}\"}}", crc32fast::hash(said)).as_bytes()].concat()
}

/// The bytes with right checksums in whatever looks like a cluster or an index with eight bytes of size.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len().saturating_sub(18) {
        let id = &bytes[at..at + 4];
        if id != [0x1F, 0x43, 0xB6, 0x75] && id != [0x1C, 0x53, 0xBB, 0x6B] {
            continue;
        }
        let size = bytes[at + 5..at + 12].iter().fold(0_usize, |size, byte| size << 8 | usize::from(*byte));
        let (body, end) = (at + 18, (at + 12).saturating_add(size));
        if bytes[at + 4] == 1
            && bytes[at + 12..at + 14] == [0xBF, 0x84]
            && (body..=bytes.len()).contains(&end)
        {
            let sum = crc32fast::hash(&bytes[body..end]);
            bytes[at + 14..body].copy_from_slice(&sum.to_le_bytes());
        }
    }
    bytes
}

/// What is found in a file lies in it, nothing twice; and its blocks are read as they were found.
pub(crate) fn matroska(bytes: &[u8]) {
    let bytes = mended(bytes);
    let path = file("000000.mkv", &bytes);
    let found = scan(&path).unwrap();
    let whole = found.clusters.iter().map(|cluster| cluster.at..cluster.at + cluster.bytes);
    let mut parts: Vec<_> = whole.chain(found.damaged.iter().cloned()).collect();
    parts.sort_by_key(|part| part.start);
    assert!(parts.iter().all(|part| part.start >= found.header && part.end <= found.bytes), "{found:?}");
    assert!(parts.windows(2).all(|two| two[0].end <= two[1].start), "{found:?}");
    let Some(mut blocks) = taken(Blocks::open(&path), "000000.mkv") else { return };
    for track in [VIDEO, MASKS] {
        while let Some(Some((block, data))) = taken(blocks.next_of(track), "000000.mkv") {
            assert_eq!(crc32fast::hash(&data), block.crc);
            assert!(block.at + block.bytes <= found.bytes);
        }
    }
}

/// Whatever became of a session, it is repaired, compared, repaired again and played, or refused in sentences.
pub(crate) fn session(bytes: &[u8]) {
    let folder = place("session");
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("session.json"), ABOUT).unwrap();
    let at = bytes.windows(4).position(|window| window == [0x1A, 0x45, 0xDF, 0xA3]).unwrap_or(bytes.len());
    let (journal, video) = bytes.split_at(at);
    let lines: Vec<Vec<u8>> = journal.split(|byte| *byte == b'\n').map(summed).collect();
    std::fs::write(folder.join("journal.jsonl"), [lines.join(&b'\n'), b"\n".to_vec()].concat()).unwrap();
    std::fs::write(folder.join("000000.mkv"), mended(video)).unwrap();
    let name = folder.to_str().unwrap();
    let Some(repaired) = taken(repair(&folder), name) else { return };
    if !repaired.unreadable.is_empty() {
        return;
    }
    // Lines that are forged may contradict each other: that is told, and nothing is repaired.
    drop(taken(agreement(&folder), name));
    drop(taken(repair(&folder), name));
    for played in Player::open(&folder).unwrap() {
        drop(taken(played, name));
    }
}

const ABOUT: &str = r#"{"format":"polyp-session","version":1,"began":"2026-11-29T12:00:00.000Z",
"clock":{"name":"","running_ns":0,"unix_ns":1795953600000000000},
"software":{"polyp":"0","gstreamer":"0","video_encoder":"a","mask_encoder":"b"}}"#;

/// A stream that is taken is the same when it is written and read again.
pub(crate) fn frames(bytes: &[u8]) {
    let name = std::path::Path::new("a stream");
    let Some(reader) = taken(StreamReader::open(bytes, name), "a stream") else { return };
    let head = reader.head().clone();
    let Some(all) = taken(reader.collect::<Result<Vec<Streamed>, _>>(), "a stream") else { return };
    let mut again = Vec::new();
    let mut writer = StreamWriter::new(&mut again, &head.session, &head.began).unwrap();
    for streamed in &all {
        match streamed {
            Streamed::Engine(engine) => writer.engine(engine).unwrap(),
            Streamed::Frame(frame, rgb, cells) => writer.frame(frame, rgb, cells).unwrap(),
        }
    }
    writer.end().unwrap();
    let read: Result<Vec<Streamed>, _> = StreamReader::open(again.as_slice(), name).unwrap().collect();
    assert_eq!(read.unwrap(), all);
}
