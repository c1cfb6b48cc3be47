//! `polyp-engine prompt`: the memory of a prompt, made once.

use std::env;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use polyp_engine::folder::EngineFolder;
use polyp_engine::prompt::MemoryCache;

use super::options::{Encoder, shown};

/// Make the memory of a prompt for an engine, so that no cart waits for the text encoder
#[derive(Debug, Args)]
pub(super) struct Prompt {
    /// The engine folder
    dir: PathBuf,
    /// The prompt
    text: String,
    #[command(flatten)]
    encoder: Encoder,
    /// Write the memory to this file instead of the user's cache
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Prompt {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let folder = EngineFolder::open(&self.dir)?;
        let encoder = self.encoder.open(&folder)?;
        let place = match &self.out {
            Some(file) => {
                folder.remember(&encoder, &self.text)?.write(file)?;
                file.clone()
            }
            None => {
                let place = cache()?;
                let weights = folder.prompt_weights()?;
                MemoryCache::new(&place).get_or_make(folder.network(), &weights, &encoder, &self.text)?;
                place
            }
        };
        writeln!(
            out,
            "the memory of \"{}\" for {} is in {}",
            self.text,
            folder.manifest().name,
            shown(&place)
        )?;
        Ok(())
    }
}

/// Where the elements look too: `polyp/memory` in the user's cache.
fn cache() -> anyhow::Result<PathBuf> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let named = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(absolute);
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = named.or_else(home).context("neither XDG_CACHE_HOME nor HOME is set; use --out FILE")?;
    Ok(cache.join("polyp").join("memory"))
}
