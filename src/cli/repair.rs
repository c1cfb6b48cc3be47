//! `polyp repair`: what a crash left of a session, made whole.

use std::path::PathBuf;

use clap::Args;
use polyp::session::repair;

use super::failure::Failure;

/// Make a session whole after a crash or a power cut; what was damaged is kept beside it
#[derive(Debug, Args)]
pub(super) struct Repair {
    /// The session's folder
    #[arg(value_name = "SESSION")]
    session: PathBuf,
}

impl Repair {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let repaired = repair(&self.session)?;
        for path in &repaired.unreadable {
            println!("{}: its tracks are not known any more; it was left as it is", path.display());
        }
        if repaired.was_whole() {
            println!("{}: nothing to do, the session is whole", self.session.display());
            return Ok(());
        }
        println!("{}: {} of {} files mended", self.session.display(), repaired.mended, repaired.segments);
        println!(
            "  {} bytes and {} lines could not be read; they are kept beside",
            repaired.bytes, repaired.lines
        );
        println!("  {} frames and masks of the journal are lost", repaired.lost);
        println!("  {} frames were found that had no line; what they showed is not known", repaired.found);
        println!("  {} masks were found that had no line; nothing shows them", repaired.orphans);
        Ok(())
    }
}
