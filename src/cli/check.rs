//! `polyp check`: what a configuration comes to, or everything that is wrong with it.

use std::path::PathBuf;

use clap::Args;
use polyp::config::{self, Config};

use super::failure::Failure;

/// Check a configuration and print it with every key written out; nothing is started
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration (TOML)
    #[arg(value_name = "FILE", required_unless_present = "keys")]
    config: Option<PathBuf>,
    /// Print the table of all keys instead: unit, range, default and meaning
    #[arg(long, conflicts_with = "config")]
    keys: bool,
}

impl Check {
    pub(super) fn run(&self) -> Result<(), Failure> {
        if self.keys {
            print!("{}", config::table());
        }
        if let Some(path) = &self.config {
            let written = Config::read(path)?.to_toml();
            let written = written.map_err(|error| {
                Failure::Usage(format!("{} can not be written out: {error}", path.display()))
            })?;
            print!("{written}");
        }
        Ok(())
    }
}
