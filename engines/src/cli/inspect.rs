//! `polyp-engine inspect`: what a folder says of itself.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use polyp_engine::folder::{EngineFolder, SigningKey, Trust};
use polyp_engine::manifest::Manifest;

/// Print what an engine folder says of itself, after verifying its files
#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// The engine folder
    dir: PathBuf,
    /// Print the manifest as JSON
    #[arg(long)]
    json: bool,
    /// Refuse it unless manifest.json.minisig is a signature to this public key, the second line of a minisign.pub
    #[arg(long, value_name = "KEY")]
    public_key: Option<String>,
}

impl Inspect {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let key = self.public_key.as_deref().map(SigningKey::read).transpose()?;
        let folder = EngineFolder::open_trusted(&self.dir, &key.map_or(Trust::Any, Trust::SignedBy))?;
        if self.json {
            write!(out, "{}", folder.manifest().to_json(&self.dir)?)?;
            return Ok(());
        }
        let network = folder.network();
        let count = |params: Vec<&polyp::model::Param>| params.iter().map(|p| p.len()).sum::<usize>();
        let manifest = folder.manifest();
        write_manifest(manifest, out)?;
        writeln!(
            out,
            "parameters    {} for every frame, {} for every prompt",
            count(network.frame_params()),
            count(network.prompt_params())
        )?;
        if let Some(int8) = &manifest.int8 {
            writeln!(
                out,
                "int8          {} layers of {}, calibrated on {} pictures; {}, {} pictures: dice {:.4}, f32 {:.4}",
                int8.layers,
                int8.layers + int8.float_layers,
                int8.calibrated_on,
                int8.judged_on,
                int8.count,
                int8.dice_int8,
                int8.dice_f32
            )?;
        }
        for (name, hash) in &manifest.files {
            let length = std::fs::metadata(self.dir.join(name))?.len();
            writeln!(out, "file          {name}, {length} bytes, sha256 {hash}")?;
        }
        Ok(())
    }
}

fn write_manifest(manifest: &Manifest, out: &mut dyn Write) -> std::io::Result<()> {
    let (model, input) = (&manifest.model, &manifest.input);
    writeln!(out, "engine        {}", manifest.name)?;
    writeln!(out, "weights       {}", manifest.weights)?;
    writeln!(
        out,
        "network       {} ({:?} encoder, decoder widths {:?}, text width {})",
        model.name, model.encoder, model.decoder_widths, model.text_width
    )?;
    writeln!(
        out,
        "input         {side} x {side} px, {:?}, {:?}",
        input.fit,
        input.normalisation,
        side = input.side_px
    )?;
    writeln!(out, "temperature   {}", manifest.temperature)?;
    if let Some(level) = manifest.contour_95 {
        writeln!(out, "contour 0.95  at the probability {level:.4}")?;
    }
    writeln!(out, "prompt        \"{}\"", manifest.prompt.text)?;
    writeln!(out, "text encoder  {}", manifest.prompt.text_encoder)?;
    for source in &manifest.data {
        writeln!(
            out,
            "data          {} {}: {} pictures, {} ({})",
            source.name, source.split, source.count, source.licence, source.source
        )?;
    }
    for metric in &manifest.metrics {
        writeln!(
            out,
            "measured      {} ({}) {:.4} on {} {} ({} pictures, {} resolution, prompt \"{}\")",
            metric.measure,
            metric.per,
            metric.value,
            metric.data_set,
            metric.split,
            metric.count,
            metric.resolution,
            metric.prompt
        )?;
    }
    Ok(())
}
