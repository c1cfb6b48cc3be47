//! `polyp check`: what a configuration comes to, or everything that is wrong with it; and whether a recorded session is what was recorded.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use gst::prelude::*;
use polyp::config::{self, Config};
use polyp::session::{Agreement, agreement};

use super::failure::Failure;
use super::source::chain;
use super::{bus, plugin};

/// Check a configuration and print it with every key written out, or prove that a recorded session is whole
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration (TOML), or a session's folder
    #[arg(value_name = "FILE or SESSION", required_unless_present = "keys")]
    path: Option<PathBuf>,
    /// Print the table of all keys instead: unit, range, default and meaning
    #[arg(long, conflicts_with = "path")]
    keys: bool,
}

impl Check {
    pub(super) fn run(&self) -> Result<(), Failure> {
        if self.keys {
            print!("{}", config::table());
        }
        match &self.path {
            Some(path) if path.is_dir() => session(path),
            Some(path) => {
                let written = Config::read(path)?.to_toml();
                let written = written.map_err(|error| {
                    Failure::Usage(format!("{} can not be written out: {error}", path.display()))
                })?;
                print!("{written}");
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Compares files with the journal, and then decodes everything.
fn session(folder: &Path) -> Result<(), Failure> {
    let found = agreement(folder)?;
    let Agreement { segments, frames, recorded, masks, marks, uncounted, repairs, length_ns, wrong } = &found;
    println!(
        "{}: {:.1} s in {segments} files",
        folder.display(),
        Duration::from_nanos(*length_ns).as_secs_f64()
    );
    println!("  {frames} frames passed, {recorded} of them recorded; {masks} masks, {marks} marks");
    if uncounted + repairs > 0 {
        println!(
            "  {uncounted} frames passed of which nothing else is known; {repairs} lines tell of repairs"
        );
    }
    if !wrong.is_empty() {
        wrong.iter().for_each(|sentence| println!("  {sentence}"));
        return Err(Failure::Stream(format!("{}: video, masks and journal do not agree", folder.display())));
    }
    println!("  every line of the journal has its block in the files, and every block its line, to the byte");
    let (pictures, own) = decode(folder)?;
    if pictures != *recorded {
        let sentence =
            format!("{}: {recorded} frames were recorded, and {pictures} decoded", folder.display());
        return Err(Failure::Stream(sentence));
    }
    println!("  {pictures} frames were decoded, {own} of them with the mask that the network made of them");
    println!("  the masks' cells are those that were recorded, and so are the pixels of lossless frames");
    Ok(())
}

/// Plays all of it as fast as it goes: frames that came out, and those that have a mask of their own. The source refuses what is not what was
/// recorded.
fn decode(folder: &Path) -> Result<(u64, u64), Failure> {
    plugin::start()?;
    let source = plugin::make("polypsessionsrc")?;
    plugin::set(&source, "session", folder.to_string_lossy().as_ref())?;
    plugin::set_named(&source, "masks", "own")?;
    let sink = plugin::make("fakesink")?;
    sink.set_property("sync", false);
    let counts = Arc::new([const { AtomicU64::new(0) }; 2]);
    let counted = Arc::clone(&counts);
    plugin::pad(&source, "src")?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let reading = info.buffer().and_then(|buffer| super::reading::Reading::of(buffer));
        let [pictures, own] = &*counted;
        pictures.fetch_add(1, Ordering::Relaxed);
        own.fetch_add(u64::from(reading.is_some_and(|reading| reading.mask.is_some())), Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    let pipeline = gst::Pipeline::new();
    chain(&pipeline, &[&source, &sink])?;
    let played = bus::play(&pipeline, None, || {})?;
    if played.interrupted {
        return Err(Failure::Stream("ended before everything was decoded".to_owned()));
    }
    let [pictures, own] = &*counts;
    Ok((pictures.load(Ordering::Relaxed), own.load(Ordering::Relaxed)))
}
