//! The switch from one engine to another, between two frames, by the streaming thread. What was in force ends elsewhere
//! ([`super::reaper`]), and with it go its answers: no mask of it is shown on a later frame.
//!
//! Not here: making engines ready ([`super::swap`]), what is compared ([`super::compare`]).

use std::panic::{AssertUnwindSafe, catch_unwind};

use gst::subclass::prelude::*;

use super::compare::Compared;
use super::imp::{CAT, PolypSegment};
use super::reaper::reap;
use super::reserve::Reserve;
use super::segment::{Frame, Stream, can_see};
use super::settings::Settings;
use super::successor::Successor;
use crate::lock::lock;
use crate::meta::{Trace, nanoseconds};

/// The name of the bus message that says what a comparison came to.
pub const COMPARISON: &str = "polyp-comparison";

impl PolypSegment {
    /// Takes an engine that is ready and has it take over, as soon as nothing is left to be compared.
    pub(super) fn take_over(&self, stream: &mut Stream) {
        let handed = lock(&self.successor).take();
        if let Some(handed) = handed {
            reap(stream.successor.replace(handed));
        }
        let Some(successor) = &mut stream.successor else { return };
        let counts = lock(&self.running).as_ref().is_some_and(|running| running.swaps(successor.number));
        if !counts {
            return reap(stream.successor.take());
        }
        if stream.session.is_none() {
            successor.comparison = None;
        }
        if successor.is_due()
            && let Some(successor) = stream.successor.take()
        {
            self.switch(stream, successor);
        }
    }

    fn switch(&self, stream: &mut Stream, successor: Box<Successor>) {
        let number = successor.number;
        // Without an engine in force there is nothing to lose, and each frame says what is wrong.
        if stream.session.is_some()
            && let Err(sentence) = can_see(&successor.session, stream.picture.as_ref())
        {
            reap(successor);
            return self.refuse(number, &sentence);
        }
        let old = lock(&self.running).as_ref().map(|running| running.runs.engine.clone()).unwrap_or_default();
        let new = successor.runs.engine.clone();
        if let Some(compared) = successor.compared() {
            self.say_compared(&compared, &old, &new);
        }
        let Successor { draft, mut session, runs, remember, known, .. } = *successor;
        let is_shrunk = stream.reserve.as_ref().is_some_and(Reserve::is_shrunk);
        let mut smaller = None;
        let is_in_force = lock(&self.running)
            .as_mut()
            .filter(|running| running.swaps(number))
            .map(|running| {
                smaller = running.remember.clone().map(|remember| (running.runs.clone(), remember));
                running.switch(number, draft, runs, remember, known);
            })
            .is_some();
        if !is_in_force {
            // It was left a moment ago.
            return reap(session);
        }
        gst::info!(CAT, imp = self, "engine {new} is in force, after {old}");
        lock(&self.stats).swap();
        if let Some(old) = &mut stream.session {
            session.take_over(old);
        }
        stream.forget_masks();
        stream.engine = None;
        match (stream.session.replace(session), &mut stream.reserve, smaller.filter(|_| is_shrunk)) {
            // The place was the larger one's, which waited in reserve meanwhile; the smaller one waits for the next time.
            (Some(old), Some(reserve), Some(smaller)) => reap(reserve.take_back(old, smaller)),
            (old, ..) => reap(old),
        }
    }

    /// Lets an engine in waiting see what the one in force was asked about. Never waits.
    pub(super) fn compare(&self, stream: &mut Stream, frame: &Frame<'_>, settings: &Settings, trace: &Trace) {
        let Stream { successor: Some(successor), session: Some(session), picture: Some(picture), .. } =
            stream
        else {
            return;
        };
        let looked =
            catch_unwind(AssertUnwindSafe(|| successor.look_on(session, picture, frame, settings, trace)));
        let looked =
            looked.unwrap_or_else(|_panic| Err("the element panicked while it was compared".to_owned()));
        if let Err(sentence) = looked {
            let number = successor.number;
            reap(stream.successor.take());
            self.refuse(number, &sentence);
        }
    }

    fn say_compared(&self, compared: &Compared, old: &str, new: &str) {
        let mut said = gst::Structure::builder(COMPARISON)
            .field("old", old)
            .field("new", new)
            .field("frames", compared.frames)
            .build();
        if let (Some(dice), Some(disagreement)) = (compared.dice(), compared.disagreement()) {
            said.set("dice-mean", dice);
            said.set("disagreement-mean", disagreement);
        }
        if let Some((of_old, of_new)) = compared.times() {
            said.set("old-infer-mean", nanoseconds(of_old));
            said.set("new-infer-mean", nanoseconds(of_new));
        }
        let obj = self.obj();
        self.post_message(gst::message::Element::builder(said).src(&*obj).build());
    }
}
