//! What has to hold of `[segment]`.

use std::path::Path;

use super::super::draft::SegmentDraft;
use super::super::{Isolation, Mode, Precision, Segment};
use super::{Rules, quoted};
use crate::alarm::{MOST_ANSWERS, Rule, RuleError};
use crate::roi::{Roi, RoiError};

impl Rules<'_> {
    pub(super) fn segment(&mut self, draft: &SegmentDraft) -> Segment {
        let some_text = |text: &Option<String>| text.as_ref().is_some_and(|text| text.trim().is_empty());
        if draft.engine.is_none() {
            let reason = "the mask is only as good as the engine, so a cart names it";
            self.missing("segment.engine", "an engine's folder", reason);
        }
        if some_text(&draft.public_key) {
            let reason = "where engines need no signature, leave the key out";
            let expected = "a public key, as the second line of minisign.pub has it";
            self.fail("segment.public_key", "\"\"".to_owned(), expected, reason);
        }
        if some_text(&draft.prompt) {
            let reason = "without a prompt, leave the key out: the engine's own is used";
            self.fail("segment.prompt", "\"\"".to_owned(), "what to look for, as \"polyp\"", reason);
        }
        if some_text(&draft.backend) {
            let reason = "to leave it to the element, leave the key out";
            self.fail("segment.backend", "\"\"".to_owned(), "a backend's name, as \"openvino\"", reason);
        }
        let threads = draft.threads.unwrap_or(0);
        let in_bounds = u32::try_from(threads).ok().filter(|threads| *threads <= 64);
        if in_bounds.is_none() {
            let reason = "0 leaves it to the backend, and past 64 a single frame is no faster";
            self.fail("segment.threads", threads.to_string(), "0 to 64", reason);
        }
        let precision = draft.precision.as_ref();
        let exact = "rounding changes masks, so it is never chosen by a misspelt word";
        let precision = self.choice("segment.precision", precision, Precision::ALL, Precision::name, exact);
        let isolation = draft.isolation.as_ref();
        let place = "a network that crashes takes with it what is in its process";
        let isolation = self.choice("segment.isolation", isolation, Isolation::ALL, Isolation::name, place);
        let waits = "the picture either waits or it does not";
        let mode = self.choice("segment.mode", draft.mode.as_ref(), Mode::ALL, Mode::name, waits);
        let budget = "a shorter wait is none, and a longer one makes the endoscope unusable";
        let age = "an older mask lies elsewhere than the polyp";
        let past = "with more than that a mask says what was, and not what is";
        let part = "it is a share of what the network sees";
        let default = Segment::of(self.path(draft.engine.as_deref().unwrap_or(Path::new(""))));
        Segment {
            engine: default.engine,
            public_key: draft.public_key.clone(),
            prompt: draft.prompt.clone(),
            backend: draft.backend.clone(),
            fallback: self.fallback(draft),
            precision: precision.unwrap_or(default.precision),
            threads: in_bounds.unwrap_or(default.threads),
            isolation: isolation.unwrap_or(default.isolation),
            mode: mode.unwrap_or(default.mode),
            latency_budget: self.duration(
                "segment.latency_budget",
                draft.latency_budget.as_ref(),
                ["1ms", "1s"],
                default.latency_budget,
                budget,
            ),
            max_mask_age: self.duration(
                "segment.max_mask_age",
                draft.max_mask_age.as_ref(),
                ["0ms", "1s"],
                default.max_mask_age,
                age,
            ),
            roi: self.roi(draft.roi.as_deref()),
            motion_compensation: draft.motion_compensation.unwrap_or(default.motion_compensation),
            smoothing: self.share("segment.smoothing", draft.smoothing, 0.9, default.smoothing, past),
            alarm: self.alarm(draft.alarm.as_deref()),
            alarm_area: self.share("segment.alarm_area", draft.alarm_area, 1.0, default.alarm_area, part),
        }
    }

    /// A share from 0 to `most`.
    fn share(&mut self, key: &str, share: Option<f64>, most: f64, default: f32, reason: &'static str) -> f32 {
        let Some(share) = share else { return default };
        if !(0.0..=most).contains(&share) {
            self.fail(key, share.to_string(), format!("0 to {most}"), reason);
        }
        share as f32
    }

    fn alarm(&mut self, text: Option<&str>) -> Option<Rule> {
        Rule::read(text?).unwrap_or_else(|RuleError { text }| {
            let bounds = format!(
                "\"off\", \"on\" or K/N/R with R < K <= N <= {MOST_ANSWERS}, as \"{}\"",
                Rule::default()
            );
            let reason = "K of the N newest masks raise it, and R or fewer end it";
            self.fail("segment.alarm", quoted(&text), bounds, reason);
            None
        })
    }

    /// Whether the names are known is the element's to say, as for `segment.backend`.
    fn fallback(&mut self, draft: &SegmentDraft) -> Vec<String> {
        let all = draft.fallback.clone().unwrap_or_default();
        for (place, name) in all.iter().enumerate() {
            let (bounds, reason) = if name.trim().is_empty() {
                ("backends' names, as [\"ort\"]", "a blank names none")
            } else if draft.backend.as_ref() == Some(name) {
                ("other backends than segment.backend", "what can not run does not run in its own place")
            } else if all.iter().take(place).any(|earlier| earlier == name) {
                ("each backend once", "what did not run the first time is not tried again")
            } else {
                continue;
            };
            self.fail("segment.fallback", quoted(name), bounds, reason);
        }
        all
    }

    fn roi(&mut self, text: Option<&str>) -> Roi {
        match text.map(str::parse) {
            None => Roi::default(),
            Some(Ok(roi)) => roi,
            Some(Err(RoiError { text })) => {
                let bounds = "\"auto\", \"whole\" or WIDTHxHEIGHT+X+Y in pixels";
                self.fail("segment.roi", quoted(&text), bounds, "a region is a rectangle of the frame");
                Roi::default()
            }
        }
    }
}
