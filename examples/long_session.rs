//! Makes a long session of a short one, by playing it over and over into a new one: for measuring exports and tools, not for learning from.
//!
//! ```sh
//! cargo run --release --example long_session -- SESSION NEW-SESSION SECONDS
//! ```
#![allow(clippy::print_stdout, reason = "what it has to say")]

use std::path::Path;

use polyp::session::matroska::{Layout, MASKS, Track, VIDEO};
use polyp::session::{Coded, Player, Record, Recording};

/// Seconds in a file, as the recorder's default has it.
const FILE_NS: u64 = 600_000_000_000;
/// From the last frame of one round to the first of the next.
const STEP_NS: u64 = 33_333_333;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [session, out, seconds] = arguments.as_slice() else {
        return Err("expected SESSION NEW-SESSION SECONDS".into());
    };
    let length_ns = seconds.parse::<u64>()? * 1_000_000_000;
    let about = Player::open(Path::new(session))?.about().clone();
    let mut recording = Recording::begin(Path::new(out), &about)?;
    let (mut shift, mut sequence, mut file_ns, mut frames) = (0, 0, None::<u64>, 0_u64);
    'rounds: loop {
        let (mut last_ns, mut last_sequence) = (0, 0);
        for played in Player::open(Path::new(session))? {
            let played = played?;
            match played.record {
                Record::Segment(mut segment) => {
                    let base_ns = segment.base_ns + shift;
                    // A round begins with a key frame: only there another file may.
                    if file_ns.is_some_and(|begun| base_ns < begun + FILE_NS) {
                        continue;
                    }
                    file_ns = Some(base_ns);
                    let tracks = played.tracks.ok_or("a file without tracks")?.each;
                    let tracks = tracks.into_iter().map(|(number, codec, private, size)| Track {
                        number,
                        name: if number == VIDEO { "picture" } else { "masks" }.to_owned(),
                        codec,
                        private,
                        size,
                        colour: None,
                        frame_ns: None,
                    });
                    let layout = Layout { title: out.clone(), unix_ns: 0, tracks: tracks.collect() };
                    segment.base_ns = base_ns;
                    recording.segment(&layout, *segment)?;
                }
                Record::Frame(mut frame) => {
                    frame.pts_ns += shift;
                    frame.mask_pts_ns = frame.mask_pts_ns.map(|time| time + shift);
                    frame.sequence += sequence;
                    (last_ns, last_sequence) = (frame.pts_ns, frame.sequence);
                    frames += 1;
                    let coded = played.data.as_ref().map(|data| Coded { data, key: played.key });
                    recording.frame(*frame, coded)?;
                    if last_ns >= length_ns {
                        break 'rounds;
                    }
                }
                Record::Mask(mut mask) => {
                    mask.pts_ns += shift;
                    mask.sequence += sequence;
                    recording.mask(*mask, played.data.as_deref())?;
                }
                Record::Engine(mut engine) if shift == 0 => {
                    engine.pts_ns += shift;
                    recording.note(Record::Engine(engine))?;
                }
                _ => {}
            }
        }
        if last_ns == 0 {
            return Err(format!("{session}: expected frames, found none").into());
        }
        (shift, sequence) = (last_ns + STEP_NS, last_sequence + 1);
    }
    recording.end("it is long enough")?;
    println!("{out}: {frames} frames, track {VIDEO} video, track {MASKS} masks");
    Ok(())
}
