//! What is done where the picture keeps missing its budget, and what is said of it.
//!
//! Not here: when ([`polyp::trace::Relief`]), the engine in reserve ([`super::reserve`]).

use std::time::Duration;

use gst::subclass::prelude::*;
use polyp::trace::{Rest, Stage};

use super::imp::PolypSegment;
use super::reserve::Reserve;
use super::segment::{Stream, can_see};
use super::settings::Settings;
use crate::lock::lock;
use crate::meta::nanoseconds;

/// The name of the message that says how the latency budget is kept.
pub const BUDGET: &str = "polyp-budget";

impl PolypSegment {
    /// Spares the picture, or no longer, as the budget was kept; and says so.
    pub(super) fn heed_budget(&self, stream: &mut Stream, settings: &Settings, time: Duration) {
        let (mut over, mut news) = (None, false);
        if settings.budget.is_empty() {
            stream.rest = Rest::None;
        } else {
            over = self.ledger.take_over();
            (stream.rest, news) = stream.relief.see(over.is_some(), time, settings.budget_missed.into());
        }
        let exchange = self.heed_reserve(stream, settings);
        if news || exchange == Some(Ok(())) {
            let doing = doing(stream, over.is_some(), exchange.and_then(Result::err));
            self.say_budget(&doing, over, settings);
        }
    }

    /// Exchanges the engine in force with the one in reserve, where that is called for. `None` where it is not, and why it can not be
    /// done as the error.
    fn heed_reserve(&self, stream: &mut Stream, settings: &Settings) -> Option<Result<(), String>> {
        let wanted = stream.rest == Rest::Smaller;
        let Some(reserve) = &mut stream.reserve else {
            return wanted.then(|| Err("smaller-engine is looked at when the stream starts".to_owned()));
        };
        self.announce(reserve.look(settings.prompt.as_deref()).as_deref());
        if reserve.is_shrunk() == wanted {
            return None;
        }
        let Some(session) = &mut stream.session else { return Some(Err("no engine runs yet".to_owned())) };
        if stream.successor.is_some() {
            return Some(Err("another engine is about to take over".to_owned()));
        }
        let picture = stream.picture.as_ref();
        let exchanged = {
            let mut running = lock(&self.running);
            let running = running.as_mut()?;
            reserve.exchange(session, running, self.number(), |spare| can_see(spare, picture))
        };
        if exchanged.is_ok() {
            lock(&self.stats).swap();
            stream.forget_masks();
            stream.engine = None;
        }
        Some(exchanged)
    }

    /// An element message [`BUDGET`], and an INFO for whoever only reads.
    fn say_budget(&self, doing: &str, over: Option<(Stage, Duration)>, settings: &Settings) {
        let mut said = gst::Structure::builder(BUDGET)
            .field("budget", settings.budget.to_string())
            .field("doing", doing)
            .build();
        if let Some((stage, took)) = over {
            said.set("stage", stage.name());
            said.set("time", nanoseconds(took));
            let limit = settings.budget.limit(stage).unwrap_or_default();
            said.set("limit", nanoseconds(limit));
            let sentence = format!(
                "latency budget {} missed on several frames, last by {} with {took:?} where {limit:?} is allowed; {doing}",
                settings.budget,
                stage.name()
            );
            gst::element_imp_info!(self, gst::LibraryError::Settings, ("{sentence}"));
        }
        self.post_message(gst::message::Element::builder(said).src(&*self.obj()).build());
    }
}

/// What is done from here on, in words; `why_not` is why the engine in force could not be exchanged.
fn doing(stream: &Stream, is_over: bool, why_not: Option<String>) -> String {
    let smaller = stream.reserve.as_ref().is_some_and(Reserve::is_shrunk);
    match (stream.rest, why_not) {
        (Rest::Smaller, None) => "the smaller engine is asked in the other's place".to_owned(),
        (Rest::Smaller, Some(reason)) => format!("it goes on as it is: {reason}"),
        (Rest::None, Some(reason)) if smaller => format!("the smaller engine goes on: {reason}"),
        (Rest::None, _) if is_over => "it goes on as it is".to_owned(),
        (Rest::None, _) => "the network is asked as before".to_owned(),
        (Rest::Every(every), _) => format!("the network is asked about one frame of {every}"),
        (Rest::All, _) => "the network rests".to_owned(),
    }
}
