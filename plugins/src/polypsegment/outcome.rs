//! What a frame is given, and the troubles for which it is not given a mask.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;

use polyp::motion::{Lost, Motion};
use polyp::overlay::Badge;
use polyp::segmentation::Segmentation;
use polyp_engine::error::EngineError;
use polyp_engine::worker::Timing;

/// A trouble, so far as it is told apart from others: a number in its sentence does not make another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The network does not answer in time.
    Late,
    /// The network fails, in this way.
    Engine(Discriminant<EngineError>),
    /// The source hands over the same picture again and again.
    Frozen,
    /// The buffer is not what the caps promise.
    Picture,
    /// The frame can not be made an input.
    Preprocess,
    /// There is no memory for frames on their way to the card.
    Card,
    /// Frames lie on a card, and the engine reads with the CPU.
    OnCpu,
    /// The worker's thread is gone.
    Stopped,
    /// The picture misses its latency budget.
    Budget,
    /// There is no engine.
    NoEngine,
    /// The engine could not be made ready.
    NotReady,
    /// This element panicked.
    Panic,
}

impl Cause {
    /// What is over, for the message that says so.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Late => "late answers",
            Self::Engine(_) => "a failing network",
            Self::Frozen => "a frozen picture",
            Self::Picture => "unfit buffers",
            Self::Preprocess => "unfit frames",
            Self::Card => "missing memory for frames",
            Self::OnCpu => "frames out of the engine's reach",
            Self::Stopped => "a stopped engine",
            Self::Budget => "rests for the latency budget",
            Self::NoEngine => "having no engine",
            Self::NotReady => "an engine that could not be made ready",
            Self::Panic => "a panic",
        }
    }
}

/// What one frame is given.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) segmentation: Option<Arc<Segmentation>>,
    /// How the picture moved since the mask's frame, where masks are moved.
    pub(super) motion: Option<Motion>,
    /// Why there is no mask where one was young enough and could not be moved.
    pub(super) lost: Option<Lost>,
    pub(super) badge: Badge,
    /// The network's times for that mask.
    pub(super) timing: Option<Timing>,
    pub(super) trouble: Option<(Cause, String)>,
}

impl Outcome {
    pub(super) fn none(badge: Badge) -> Self {
        Self { segmentation: None, motion: None, lost: None, badge, timing: None, trouble: None }
    }

    /// A frame without a mask, for a reason that is reported.
    pub(super) fn fault(cause: Cause, sentence: String) -> Self {
        Self { trouble: Some((cause, sentence)), ..Self::none(Badge::Fault) }
    }

    pub(super) fn late(sentence: String) -> Self {
        Self { trouble: Some((Cause::Late, sentence)), ..Self::none(Badge::Late) }
    }

    pub(super) fn engine(error: &EngineError) -> Self {
        Self::fault(Cause::Engine(discriminant(error)), error.to_string())
    }
}
