//! The alarm that a polyp is in view: what each frame is given of it, and the message when it is raised or ended.
//!
//! Not here: when it is ([`polyp::alarm`]).

use gst::subclass::prelude::*;
use polyp::alarm::{Gate, Settings, covered};
use polyp::segmentation::Segmentation;

use super::imp::{CAT, PolypSegment};
use super::outcome::Outcome;
use super::segment::Frame;
use crate::lock::lock;
use crate::meta::nanoseconds;

/// The name of the bus message that says that an alarm is raised or over.
pub const ALARM: &str = "polyp-alarm";

/// One stream's alarm.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    /// `None` so long as it is switched off.
    gate: Option<Gate>,
    /// Whether it was said that it is raised.
    said: bool,
}

impl Alarm {
    /// Whether the alarm is raised on a frame that `outcome` came to; `None` where it is switched off. It is not on a frame that has no
    /// mask: what was voted before that is not counted any more.
    pub(super) fn see(&mut self, outcome: &Outcome, settings: Option<Settings>) -> Option<bool> {
        if self.gate.as_ref().map(Gate::settings) != settings {
            self.gate = settings.map(Gate::new);
        }
        let gate = self.gate.as_mut()?;
        match &outcome.segmentation {
            Some(mask) => Some(gate.see(mask)),
            None => {
                gate.reset();
                Some(false)
            }
        }
    }

    /// Nothing counts that was voted before: a flush, other caps, a jump of time, another prompt or engine.
    pub(super) fn forget(&mut self) {
        if let Some(gate) = &mut self.gate {
            gate.reset();
        }
    }

    /// Whether it is to be said that it is raised, or over, after a frame that was given `alarm`; `None` where that was said.
    pub(super) fn news(&mut self, alarm: Option<bool>) -> Option<bool> {
        let raised = alarm == Some(true);
        let news = self.said != raised;
        self.said = raised;
        news.then_some(raised)
    }
}

impl PolypSegment {
    /// Says and counts that the alarm is raised with this frame, which has that mask; or says that it is over.
    pub(super) fn say_alarm(&self, raised: bool, mask: Option<&Segmentation>, frame: &Frame<'_>) {
        if raised {
            lock(&self.stats).alarm();
        }
        let mut said = gst::Structure::builder(ALARM)
            .field("raised", raised)
            .field("sequence", frame.sequence)
            .field("running-time", nanoseconds(frame.time))
            .build();
        if let Some(mask) = mask {
            said.set("mask-sequence", mask.sequence);
            said.set("area", f64::from(covered(mask)));
        }
        gst::debug!(CAT, imp = self, "{said:?}");
        let obj = self.obj();
        self.post_message(gst::message::Element::builder(said).src(&*obj).build());
    }
}
