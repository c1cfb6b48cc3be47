//! `polyp-train bench-step`: how long a training step takes.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use polyp::model::{Network, Role};
use polyp_training::data::{Batch, Random};
use polyp_training::fit::{FitConfig, Trainer};

/// Measure forward, backward and optimiser step on random pictures, without a data set.
#[derive(Debug, Args)]
pub(crate) struct BenchStep {
    /// A run's configuration (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Steps to measure; two more are run before them.
    #[arg(long, default_value_t = 20)]
    steps: usize,
    /// Rows and columns of a picture instead of the configuration's, in pixels.
    #[arg(long, value_name = "PX")]
    side: Option<usize>,
    /// Pictures of a step instead of the configuration's.
    #[arg(long)]
    batch: Option<usize>,
}

impl BenchStep {
    #[expect(clippy::print_stdout, reason = "what the verb has to say")]
    pub(crate) fn run(self) -> anyhow::Result<()> {
        super::memory::keep_freed();
        let mut config = FitConfig::read(&self.config)?;
        config.model.side_px = self.side.unwrap_or(config.model.side_px);
        config.batch = self.batch.unwrap_or(config.batch);
        config.check()?;
        anyhow::ensure!(self.steps > 0, "--steps: expected at least 1, found 0");
        tch::set_num_threads(i32::try_from(config.threads)?);
        let network = Network::new(&config.model)?;
        let learnt = network.params().into_iter().filter(|param| param.role == Role::Trainable);
        let parameters: usize = learnt.map(|param| param.shape.iter().product::<usize>()).sum();
        let mut trainer = Trainer::new(&config, tch::Device::Cpu)?;
        let area = config.batch * config.model.side_px * config.model.side_px;
        let mut random = Random::new(&[config.seed]);
        let batch = Batch {
            images: (0..3 * area).map(|_| (random.bits() >> 56) as u8).collect(),
            masks: (0..area).map(|_| u8::from(random.chance(0.2))).collect(),
            count: config.batch,
            indices: (0..config.batch).collect(),
        };
        let mut times = Vec::with_capacity(self.steps);
        for step in 0..self.steps + 2 {
            let started = Instant::now();
            trainer.step(&[], &batch, step as u64, config.learning_rate)?;
            if step >= 2 {
                times.push(started.elapsed().as_secs_f64());
            }
        }
        times.sort_by(f64::total_cmp);
        let median = times.get(times.len() / 2).copied().unwrap_or(f64::NAN);
        println!(
            "polyp: {:?}, {parameters} parameters, {} px, batch {}, {} threads: median {:.1} ms a step of {}, {:.2} pictures/s",
            config.model.encoder,
            config.model.side_px,
            config.batch,
            config.threads,
            1e3 * median,
            self.steps,
            config.batch as f64 / median
        );
        Ok(())
    }
}
