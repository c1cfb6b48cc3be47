//! `polyp-engine quantize`: a network in 8-bit integers beside the float one, if it is good enough.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use polyp_engine::engine::{Backend, Engine, Options, Precision};
use polyp_engine::error::EngineError;
use polyp_engine::folder::{EngineFolder, write_int8};
use polyp_engine::manifest::{INT8_TOLERANCE, Int8};
use polyp_engine::quantise::{Calibration, calibrate};
use polyp_engine::score::{Pair, Prepare};

use super::options::{Pictures, scored, shown};

/// How many of the layers that harm most stay in floats: the first number whose masks are good enough.
const FLOAT_LAYERS: [usize; 6] = [0, 2, 4, 8, 16, 32];

/// Write an engine folder with a network in 8-bit integers (for CPUs) beside the float one, if its masks are as good
#[derive(Debug, Args)]
pub(super) struct Quantize {
    /// The engine folder
    #[arg(value_name = "ENGINE")]
    engine: PathBuf,
    #[command(flatten)]
    data: Pictures,
    /// A file that names the pictures to take ranges of, one per line: of those that the network has learned from
    #[arg(long, value_name = "FILE")]
    calibrate: PathBuf,
    /// A file that names the pictures to judge it on, one per line: of validation, and none of the others
    #[arg(long, value_name = "FILE")]
    judge: PathBuf,
    /// What these are, for the manifest, as "Kvasir-SEG, validation"
    #[arg(long, value_name = "TEXT")]
    judged_on: String,
    /// The most pictures to take ranges of, evenly spread over the list
    #[arg(long, value_name = "N", default_value_t = 64)]
    pictures: usize,
    /// Keep so many of the layers that harm most in floats [default: 0, 2, 4, 8, 16, 32, until it is good enough]
    #[arg(long, value_name = "N")]
    float_layers: Option<usize>,
    /// What it is judged in: openvino or ort
    #[arg(long, value_name = "NAME", default_value = "openvino", value_parser = ["openvino", "ort"])]
    backend: String,
    /// The folder to write; nothing may be there yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

impl Quantize {
    pub(super) fn run(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let folder = EngineFolder::open(&self.engine)?;
        let learned = self.data.pairs(Some(&self.calibrate))?;
        let judged = self.data.pairs(Some(&self.judge))?;
        let names: BTreeSet<&str> = learned.iter().map(|pair| pair.stem.as_str()).collect();
        if let Some(both) = judged.iter().find(|pair| names.contains(pair.stem.as_str())) {
            bail!(
                "{}: expected pictures that {} does not name, found {} in both",
                shown(&self.judge),
                shown(&self.calibrate),
                both.stem
            );
        }
        let float = self.dice(&folder, Precision::F32, &judged)?;
        writeln!(out, "f32: dice {float:.4}, mean over {} pictures of {}", judged.len(), self.judged_on)?;
        let calibration =
            calibrate(&folder, &folder.memory()?, &self.inputs(&folder, &learned)?, |done, of| {
                tracing::info!(done, of, "calibrating");
            })?;
        let steps = self.float_layers.map_or_else(|| FLOAT_LAYERS.to_vec(), |one| vec![one]);
        for float_layers in steps.into_iter().filter(|number| *number < calibration.layers()) {
            let found = self.try_out(&folder, &calibration, float_layers, float, &judged, out)?;
            if found {
                writeln!(out, "{}", shown(&self.out))?;
                return Ok(());
            }
        }
        bail!("no network in 8-bit integers lost at most {INT8_TOLERANCE} of its Dice; nothing was written")
    }

    /// Writes the folder if that many layers in floats are enough; says so.
    fn try_out(
        &self,
        folder: &EngineFolder,
        calibration: &Calibration,
        float_layers: usize,
        dice_f32: f64,
        judged: &[Pair],
        out: &mut dyn Write,
    ) -> anyhow::Result<bool> {
        let layers = calibration.layers() - float_layers;
        let mut dice_int8 = f64::NAN;
        let written = write_int8(&self.out, folder, &calibration.graph(float_layers)?, |folder| {
            dice_int8 = self.dice(folder, Precision::Int8, judged)?;
            Ok(Int8 {
                calibrated_on: calibration.pictures(),
                layers,
                float_layers,
                judged_on: self.judged_on.clone(),
                count: judged.len(),
                dice_f32,
                dice_int8,
            })
        });
        let good = match written {
            Ok(_) => true,
            Err(EngineError::Field { field, .. }) if field == "int8.dice_int8" => false,
            Err(error) => return Err(error.into()),
        };
        let word = if good { "kept" } else { "not good enough" };
        writeln!(
            out,
            "int8: {layers} layers in integers, {float_layers} in floats: dice {dice_int8:.4} ({:+.4}), {word}",
            dice_int8 - dice_f32
        )?;
        Ok(good)
    }

    /// Inputs of at most as many pictures as wanted.
    fn inputs(&self, folder: &EngineFolder, pairs: &[Pair]) -> Result<Vec<Vec<f32>>, EngineError> {
        let mut prepare = Prepare::new(folder.manifest().input);
        let every = pairs.len().div_ceil(self.pictures.max(1)).max(1);
        let mut inputs = Vec::new();
        for pair in pairs.iter().step_by(every) {
            let (picture, mut input) = (pair.read()?, Vec::new());
            prepare.run(&picture.rgb, picture.size, &mut input)?;
            inputs.push(input);
        }
        Ok(inputs)
    }

    fn dice(&self, folder: &EngineFolder, precision: Precision, judged: &[Pair]) -> Result<f64, EngineError> {
        let options = Options { precision, ..Options::default() };
        let mut engine: Box<dyn Engine> = (Backend::named(&self.backend)?.open)(folder, &options)?;
        let scored = scored(folder, engine.as_mut(), &folder.memory()?, judged)?;
        Ok(scored.finish().dice_per_image)
    }
}
