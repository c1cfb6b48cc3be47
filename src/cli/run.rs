//! `polyp run`: plays what a configuration says.

use std::path::PathBuf;

use clap::Args;
use gst::prelude::*;
use polyp::config::{Config, Record, Sink};

use super::failure::Failure;
use super::source::Opened;
use super::{bus, live, plugin, sink, source};

/// Play what a configuration says: source, segmentation, overlay, recording, sink
#[derive(Debug, Args)]
pub(super) struct Run {
    /// The configuration (TOML); docs/CONFIG.md lists its keys
    #[arg(value_name = "FILE")]
    config: PathBuf,
    /// Record the session into this folder, as [record] with its path would
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
    /// Serve figures at this port of this machine, as [metrics] would: for polyp top, polyp budget, polyp trace, Prometheus
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1024..))]
    metrics: Option<u16>,
}

impl Run {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let mut config = Config::read(&self.config)?;
        if let Some(path) = &self.record {
            let known = config.record.take();
            config.record = Some(match known {
                Some(record) => Record { path: path.clone(), ..record },
                None => Record::into(path.clone()),
            });
        }
        plugin::start()?;
        let pipeline = gst::Pipeline::new();
        // The output's file is made last: nothing is replaced by a run that can not begin.
        let live = live::make(&config.segment, &config.overlay, config.record.as_ref())?;
        live::watch(&live, &config.limits, self.metrics.or(config.metrics_port))?;
        if config.record.is_some() {
            let notes = config.to_toml().map_err(|error| Failure::Usage(error.to_string()))?;
            plugin::set(&live, "record-notes", notes)?;
        }
        let Opened { last, feed } = source::add(&pipeline, &config.source)?;
        pipeline.add(&live).map_err(Failure::build)?;
        last.link(&live).map_err(Failure::build)?;
        let first = sink::add(&pipeline, &config.sink)?;
        live.link(&first).map_err(Failure::build)?;
        println!("playing {}; Ctrl-C ends it", self.config.display());
        bus::play(&pipeline, feed, || {})?;
        report(&live);
        if let Sink::File { path } = &config.sink {
            println!("{} is written", path.display());
        }
        Ok(())
    }
}

/// Says what the frames showed.
fn report(live: &gst::Element) {
    let Some(segment) = live::stats(live, "segment") else { return };
    let count = |name: &str| segment.get::<u64>(name).unwrap_or_default();
    println!(
        "{} frames: {} with a mask of their own, {} with a held one, {} while the engine was made ready, {} before the first mask, {} frozen, {} late, {} in fault, {} off",
        count("frames"),
        count("live"),
        count("held"),
        count("starting"),
        count("no-mask"),
        count("frozen"),
        count("late"),
        count("fault"),
        count("off"),
    );
}
