//! What goes into a worker and what comes out.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use polyp::frame::FrameCopy;
use polyp::input::{InputSpec, Placement};
use polyp::segmentation::Segmentation;

use crate::cuda::frame::CardFrame;
use crate::error::EngineError;

/// A frame in the form that the engine takes.
#[derive(Debug)]
pub enum Input {
    /// The network's input, `[3, side, side]`.
    Image(Vec<f32>),
    /// A part of the frame, of which the network's input is to be made so.
    Copy(FrameCopy, InputSpec),
    /// The frame itself, for an engine that makes its input of it ([`super::Worker::frame_ring`]).
    Frame(CardFrame),
}

/// A frame for the network.
pub struct Job {
    /// The frame's number in its stream, counted from 0.
    pub sequence: u64,
    /// The frame's presentation time, in the stream's running time.
    pub pts: Duration,
    /// The caller's own count of flushes and new streams; handed back with the reply.
    pub generation: u64,
    /// The frame.
    pub input: Input,
    /// Where the input lies in the frame.
    pub placement: Placement,
    /// When the caller handed it over.
    pub submitted: Instant,
    /// When its mask is of no more use: between several streams, the earliest is served first.
    pub deadline: Instant,
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("sequence", &self.sequence)
            .field("pts", &self.pts)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// What came of a job.
#[derive(Debug)]
pub struct Reply {
    /// The job's number.
    pub sequence: u64,
    /// The job's presentation time.
    pub pts: Duration,
    /// The job's generation.
    pub generation: u64,
    /// The segmentation, or why there is none.
    pub outcome: Result<Arc<Segmentation>, Arc<EngineError>>,
    /// Where the time went.
    pub timing: Timing,
    /// The job's input, whose memory may be used again; a card's frame goes back to its ring by itself.
    pub input: Option<Input>,
}

/// Where a job's time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// From being handed over to being begun.
    pub queued: Duration,
    /// When it was begun; `None` where it was not.
    pub begun: Option<Instant>,
    /// Making the network's input of the frame's copy; zero where it was made before, or on a card.
    pub prepared: Duration,
    /// In the engine.
    pub inferred: Duration,
    /// From logits to a segmentation.
    pub decoded: Duration,
}

/// A job that was not taken: the worker's thread is gone.
#[derive(Debug)]
pub struct Stopped {
    /// The job, with its input.
    pub job: Job,
}

/// What a worker has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Jobs taken.
    pub offered: u64,
    /// Jobs that gave way to a newer one before they were begun.
    pub replaced: u64,
    /// Jobs that became a segmentation.
    pub answered: u64,
    /// Jobs that became an error.
    pub failed: u64,
    /// Replies that were thrown away because a newer one was there or was asked for.
    pub stale: u64,
}
