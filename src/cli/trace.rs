//! `polyp trace`: the newest spans of a running stream, as a file for Perfetto.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::served::Served;

/// Write the newest spans of a running stream to a file that Perfetto and Chrome's tracing page open
#[derive(Debug, Args)]
pub(super) struct Trace {
    /// The port of this machine on which the stream serves its figures (metrics-port, [metrics])
    #[arg(value_name = "PORT", value_parser = Served::parse)]
    stream: Served,
    /// The file; an older one is replaced
    #[arg(long, value_name = "FILE", default_value = "trace.json")]
    out: PathBuf,
}

impl Trace {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let trace = self.stream.get("/trace.json")?;
        let spans = trace.matches("\"ph\":\"X\"").count();
        std::fs::write(&self.out, trace)
            .map_err(|cause| Failure::Write { path: self.out.clone(), message: cause.to_string() })?;
        println!("{}: {spans} spans, the newest since the last trace", self.out.display());
        Ok(())
    }
}
