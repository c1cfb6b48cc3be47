//! `polyp-train convert`: a PyTorch weight file as safetensors.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use polyp_training::convert::convert;

/// Write the tensors of a PyTorch weight file (.bin, .pth, .pt) as safetensors; nothing in the file is run.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The weight file: a state dictionary of any version of PyTorch.
    #[arg(value_name = "IN")]
    from: PathBuf,
    /// The safetensors file to write.
    #[arg(value_name = "OUT")]
    out: PathBuf,
}

impl Convert {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let bytes = convert(&self.from)?;
        std::fs::write(&self.out, bytes).with_context(|| format!("{}: write", self.out.display()))
    }
}
