//! How to segment, as the properties say it, and checked.

use std::path::PathBuf;
use std::time::Duration;

use polyp::alarm::{self, Rule};
use polyp::frozen;
use polyp::roi::Roi;
use polyp::trace::Budget;
use polyp_engine::engine::{BACKENDS, Backend, Options, Precision};
use polyp_engine::folder::{SigningKey, Trust};

use super::choices::{BudgetMissed, Isolation, Mode};
use crate::polypoverlay::MAX_MASK_AGE;

/// How long a picture waits in locked mode unless the user says otherwise: a frame's time at 30 a second.
pub(super) const LATENCY_BUDGET: Duration = Duration::from_millis(33);

/// The most of earlier masks that may stay in a new one.
pub(super) const MOST_SMOOTHING: f32 = 0.9;

/// The properties' values, as the user gave them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    pub(super) engine: String,
    pub(super) public_key: String,
    pub(super) prompt: String,
    pub(super) text_encoder: String,
    pub(super) backend: String,
    pub(super) fallback: String,
    pub(super) precision: String,
    pub(super) threads: u32,
    pub(super) isolation: Isolation,
    pub(super) share: bool,
    pub(super) compare_frames: u32,
    pub(super) mode: Mode,
    pub(super) latency_budget: Duration,
    pub(super) max_mask_age: Duration,
    pub(super) budget: String,
    pub(super) budget_missed: BudgetMissed,
    pub(super) smaller_engine: String,
    pub(super) metrics_port: u32,
    pub(super) stats_interval: Duration,
    pub(super) roi: String,
    pub(super) frozen_after: u32,
    pub(super) motion_compensation: bool,
    pub(super) smoothing: f32,
    pub(super) alarm: String,
    pub(super) alarm_area: f32,
    pub(super) enabled: bool,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            engine: String::new(),
            public_key: String::new(),
            prompt: String::new(),
            text_encoder: String::new(),
            backend: BACKENDS.first().map(|backend| backend.name).unwrap_or_default().to_owned(),
            fallback: String::new(),
            precision: Precision::default().name().to_owned(),
            threads: 0,
            isolation: Isolation::default(),
            share: true,
            compare_frames: 0,
            mode: Mode::default(),
            latency_budget: LATENCY_BUDGET,
            max_mask_age: MAX_MASK_AGE,
            budget: String::new(),
            budget_missed: BudgetMissed::default(),
            smaller_engine: String::new(),
            metrics_port: 0,
            stats_interval: Duration::ZERO,
            roi: Roi::default().to_string(),
            frozen_after: frozen::AFTER,
            motion_compensation: true,
            smoothing: 0.0,
            alarm: Rule::write(None),
            alarm_area: alarm::AREA,
            enabled: true,
        }
    }
}

/// The properties' values, checked.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// `None` only while switched off.
    pub(super) engine: Option<PathBuf>,
    /// Whose engines are opened.
    pub(super) trust: Trust,
    /// `None` for the engine's own.
    pub(super) prompt: Option<String>,
    /// `None` for the one that the set-up fetched.
    pub(super) text_encoder: Option<PathBuf>,
    pub(super) backend: &'static str,
    /// What runs instead where it can not, in this order; mostly nothing.
    pub(super) fallback: Vec<&'static str>,
    pub(super) options: Options,
    pub(super) isolation: Isolation,
    /// Whether other elements of the process may be at the same engine.
    pub(super) share: bool,
    /// Frames on which an engine is compared with the one whose place it is to take.
    pub(super) compare_frames: u32,
    pub(super) mode: Mode,
    pub(super) latency_budget: Duration,
    pub(super) max_mask_age: Duration,
    /// What stages may take.
    pub(super) budget: Budget,
    pub(super) budget_missed: BudgetMissed,
    /// The engine that is asked in the other's place where that is what happens; looked at when a stream starts.
    pub(super) smaller_engine: Option<PathBuf>,
    /// Zero for never.
    pub(super) stats_interval: Duration,
    pub(super) roi: Roi,
    /// Repeats of a picture after which its source counts as dead; 0 for never.
    pub(super) frozen_after: u32,
    /// Whether masks are moved along with the picture in live mode.
    pub(super) motion_compensation: bool,
    /// How much of the masks before stays in a new one, 0 to [`MOST_SMOOTHING`].
    pub(super) smoothing: f32,
    /// When an alarm is raised; `None` for never.
    pub(super) alarm: Option<alarm::Settings>,
    pub(super) enabled: bool,
}

impl Settings {
    /// How much later than it came a picture may leave.
    pub(super) fn latency(&self) -> Duration {
        match self.mode {
            Mode::Locked if self.enabled => self.latency_budget,
            _ => Duration::ZERO,
        }
    }
}

impl Draft {
    /// The settings. Whether the folder is an engine is found out by opening it.
    ///
    /// # Errors
    /// One sentence for every property that is wrong.
    pub(super) fn check(&self) -> Result<Settings, String> {
        let mut wrong = Vec::new();
        let backend = Backend::named(&self.backend).map(|backend| backend.name).unwrap_or_else(|error| {
            wrong.push(format!("property {error}"));
            ""
        });
        let trust = given(&self.public_key).map(SigningKey::read).transpose().unwrap_or_else(|error| {
            wrong.push(format!("property {error}"));
            None
        });
        let fallback = self.fallback(backend).unwrap_or_else(|sentence| {
            wrong.push(format!("property fallback{sentence}"));
            Vec::new()
        });
        let precision = Precision::from_name(&self.precision).unwrap_or_else(|| {
            let names = Precision::ALL.map(Precision::name).join(" or ");
            wrong.push(format!("property precision: expected {names}, found {:?}", self.precision));
            Precision::default()
        });
        let roi = self.roi.parse().unwrap_or_else(|error| {
            wrong.push(format!("property roi, {error}"));
            Roi::default()
        });
        let budget = self.budget.parse().unwrap_or_else(|error| {
            wrong.push(format!("property {error}"));
            Budget::default()
        });
        let rule = Rule::read(self.alarm.trim()).unwrap_or_else(|error| {
            wrong.push(format!("property {error}"));
            None
        });
        let smaller_engine = given(&self.smaller_engine).map(PathBuf::from);
        if self.budget_missed == BudgetMissed::ShrinkInput && smaller_engine.is_none() {
            wrong.push(
                "property smaller-engine: expected the folder of an engine with a smaller input, as budget-missed is shrink-input, found \
                 nothing"
                    .to_owned(),
            );
        }
        if !wrong.is_empty() {
            return Err(wrong.join("; "));
        }
        Ok(Settings {
            engine: given(&self.engine).map(PathBuf::from),
            trust: trust.map_or(Trust::Any, Trust::SignedBy),
            prompt: given(&self.prompt).map(str::to_owned),
            text_encoder: given(&self.text_encoder).map(PathBuf::from),
            backend,
            fallback,
            options: Options { precision, threads: self.threads as usize, ..Options::default() },
            isolation: self.isolation,
            share: self.share,
            compare_frames: self.compare_frames,
            mode: self.mode,
            latency_budget: self.latency_budget,
            max_mask_age: self.max_mask_age,
            budget,
            budget_missed: self.budget_missed,
            smaller_engine,
            stats_interval: self.stats_interval,
            roi,
            frozen_after: self.frozen_after,
            motion_compensation: self.motion_compensation,
            smoothing: self.smoothing,
            alarm: rule.map(|rule| alarm::Settings { rule, area: self.alarm_area }),
            enabled: self.enabled,
        })
    }
}

impl Draft {
    /// Whether it names the engine that `other` does, to be run in the same way. What is only looked at when an engine is
    /// opened (`fallback`, `public-key`, `text-encoder`, `share`) makes no other engine.
    pub(super) fn names_engine_of(&self, other: &Self) -> bool {
        let named = |draft: &Self| {
            let words = [&draft.engine, &draft.backend, &draft.precision].map(|word| word.trim().to_owned());
            (words, draft.threads, draft.isolation)
        };
        named(self) == named(other)
    }

    /// Names the engine that `other` does.
    pub(super) fn take_engine_of(&mut self, other: &Self) {
        self.engine.clone_from(&other.engine);
        self.backend.clone_from(&other.backend);
        self.fallback.clone_from(&other.fallback);
        self.precision.clone_from(&other.precision);
        (self.threads, self.isolation) = (other.threads, other.isolation);
    }

    /// The backends that `fallback` names; what is wrong with it otherwise.
    fn fallback(&self, backend: &str) -> Result<Vec<&'static str>, String> {
        let mut names = Vec::new();
        let Some(text) = given(&self.fallback) else { return Ok(names) };
        for name in text.split(',') {
            let Some(name) = given(name) else {
                return Err(format!(": expected names of backends apart by commas, found {text:?}"));
            };
            let name = Backend::named(name).map_err(|error| format!(", {error}"))?.name;
            if name == backend {
                return Err(format!(": expected other backends than property backend, found {name} in both"));
            }
            if names.contains(&name) {
                return Err(format!(": expected each backend once, found {name} twice"));
            }
            names.push(name);
        }
        Ok(names)
    }
}

/// `text`, unless it is only blanks.
fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass() {
        let settings = Draft::default().check().unwrap();
        assert_eq!((settings.backend, settings.roi), ("openvino", Roi::Auto));
        assert_eq!((settings.engine, settings.prompt), (None, None));
    }

    #[test]
    fn everything_that_is_wrong_is_said() {
        let [backend, precision, roi, public_key] = ["cuda9", "f8", "here", "mine"].map(str::to_owned);
        let error = Draft { backend, precision, roi, public_key, ..Draft::default() }.check().unwrap_err();
        let key = "property public-key: expected the second line of a minisign.pub";
        for part in ["property backend: expected openvino", "\"f8\"", "property roi, region \"here\"", key] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_fallback_names_other_backends_each_once() {
        let check = |fallback: &str| {
            let fallback = fallback.to_owned();
            Draft { fallback, ..Draft::default() }.check().map(|settings| settings.fallback)
        };
        assert_eq!(check(" "), Ok(Vec::new()));
        assert_eq!(check("reference, ort"), Ok(vec!["reference", "ort"]));
        let wrong = [
            ("ort,openvino", "expected other backends than property backend, found openvino in both"),
            ("ort,reference,ort", "expected each backend once, found ort twice"),
            ("ort,,reference", "expected names of backends apart by commas, found \"ort,,reference\""),
            ("cuda9", "property fallback, backend: expected openvino or ort or "),
        ];
        for (fallback, words) in wrong {
            let error = check(fallback).unwrap_err();
            assert!(error.starts_with("property fallback") && error.contains(words), "{error}");
        }
    }

    #[test]
    fn an_engine_is_named_by_what_it_is_and_how_it_runs() {
        let (draft, threads) = (Draft { engine: "/a".to_owned(), ..Draft::default() }, 3);
        let same = Draft { engine: " /a ".to_owned(), prompt: "polyp".to_owned(), ..draft.clone() };
        assert!(same.names_engine_of(&draft));
        let (fallback, isolation) = ("reference".to_owned(), Isolation::Process);
        let others = [
            Draft { engine: "/b".to_owned(), ..draft.clone() },
            Draft { backend: "ort".to_owned(), fallback, ..draft.clone() },
            Draft { precision: "f32".to_owned(), ..draft.clone() },
            Draft { threads, ..draft.clone() },
            Draft { isolation, ..draft.clone() },
        ];
        for mut other in others {
            assert!(!other.names_engine_of(&draft), "{other:?}");
            other.take_engine_of(&draft);
            assert_eq!(other, draft);
        }
    }

    #[test]
    fn only_a_picture_that_waits_is_later() {
        let latency = |mode, enabled| Draft { mode, enabled, ..Draft::default() }.check().unwrap().latency();
        assert_eq!(latency(Mode::Locked, true), LATENCY_BUDGET);
        assert_eq!(latency(Mode::Locked, false), Duration::ZERO);
        assert_eq!(latency(Mode::Live, true), Duration::ZERO);
    }
}
