//! What has to hold of `[budget]` and `[metrics]`.

use std::time::Duration;

use super::super::Limits;
use super::super::draft::{BudgetDraft, MetricsDraft};
use super::Rules;
use crate::trace::{Missed, Stage};

impl Rules<'_> {
    pub(super) fn limits(&mut self, draft: &BudgetDraft) -> Limits {
        let mut limits = Limits::default();
        for (stage, text) in Stage::ALL.into_iter().zip(draft.limits()) {
            let Some(text) = text else { continue };
            let key = format!("budget.{}", stage.name());
            let reason =
                "nothing takes no time, and a second is not live; without a limit, leave the key out";
            let limit = self.duration(&key, Some(text), ["1us", "1s"], Duration::ZERO, reason);
            limits.budget = limits.budget.with(stage, Some(limit));
        }
        let reason = "what happens to the picture is never chosen by a misspelt word";
        let missed = self.choice("budget.missed", draft.missed.as_ref(), &Missed::ALL, Missed::name, reason);
        limits.missed = missed.unwrap_or_default();
        limits.smaller_engine = draft.smaller_engine.as_deref().map(|path| self.path(path));
        if limits.missed == Missed::ShrinkInput && limits.smaller_engine.is_none() {
            self.missing(
                "budget.smaller_engine",
                "an engine's folder",
                "shrink-input asks it in the other's place",
            );
        }
        limits
    }

    pub(super) fn metrics(&mut self, draft: &MetricsDraft) -> Option<u16> {
        let reason = "ports below are the system's; to serve nothing, leave [metrics] out";
        let Some(port) = draft.port else {
            self.missing("metrics.port", "1024 to 65535", reason);
            return None;
        };
        let known = u16::try_from(port).ok().filter(|port| *port >= 1024);
        if known.is_none() {
            self.fail("metrics.port", port.to_string(), "1024 to 65535", reason);
        }
        known
    }
}
