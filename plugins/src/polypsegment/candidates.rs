//! The backends in the order in which the user wrote them, and why those that were tried do not run.
//!
//! Not here: trying them ([`super::start`]).

use std::vec::IntoIter;

use polyp_engine::error::EngineError;

use super::settings::Settings;

/// Backends that are left to be tried, the wanted one first, and what became of the others.
#[derive(Debug)]
pub(super) struct Candidates {
    left: IntoIter<&'static str>,
    /// Whether the user wrote more than one.
    several: bool,
    failed: Vec<String>,
}

impl Candidates {
    pub(super) fn new(settings: &Settings) -> Self {
        let all: Vec<_> = [settings.backend].into_iter().chain(settings.fallback.iter().copied()).collect();
        Self { several: all.len() > 1, left: all.into_iter(), failed: Vec::new() }
    }

    /// The next one.
    ///
    /// # Errors
    /// When all were tried: each with its reason.
    pub(super) fn next(&mut self) -> Result<&'static str, String> {
        self.left.next().ok_or_else(|| self.failed.join("; "))
    }

    /// Remembers why `backend` does not run.
    pub(super) fn fail(&mut self, backend: &str, error: &EngineError) {
        let (sentence, name) = (error.to_string(), format!("backend {backend}"));
        let is_named =
            sentence.strip_prefix(&name).is_some_and(|rest| rest.starts_with(':') || rest.starts_with(','));
        // Where nothing else was to be tried, there is nothing to be told apart.
        self.failed.push(if is_named || !self.several { sentence } else { format!("{name}: {sentence}") });
    }

    /// What the user has to know when `backend` runs: nothing, when it is the wanted one.
    pub(super) fn announcement(&self, backend: &str) -> Option<String> {
        let reasons = self.failed.join("; ");
        (!reasons.is_empty())
            .then(|| format!("{reasons}; backend {backend} runs instead, as property fallback says"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Draft;
    use super::*;

    fn candidates(fallback: &str) -> Candidates {
        let fallback = fallback.to_owned();
        Candidates::new(&Draft { fallback, ..Draft::default() }.check().unwrap())
    }

    fn worker(message: &str) -> EngineError {
        EngineError::Worker { message: message.to_owned() }
    }

    #[test]
    fn they_come_in_the_users_order_and_each_has_its_reason() {
        let mut candidates = candidates("reference, ort");
        assert_eq!(candidates.next(), Ok("openvino"));
        assert_eq!(candidates.announcement("openvino"), None);
        candidates.fail("openvino", &EngineError::Feature { backend: "openvino", feature: "openvino" });
        assert_eq!(candidates.next(), Ok("reference"));
        candidates.fail("reference", &worker("no thread"));
        assert_eq!(candidates.next(), Ok("ort"));
        let announced = candidates.announcement("ort").unwrap();
        assert!(announced.starts_with("backend openvino: this program was built without"), "{announced}");
        let end = "; backend reference: engine worker: no thread; backend ort runs instead, as property fallback says";
        assert!(announced.ends_with(end), "{announced}");
        candidates.fail("ort", &worker("none either"));
        let refusal = candidates.next().unwrap_err();
        assert!(refusal.ends_with("; backend ort: engine worker: none either"), "{refusal}");
    }

    #[test]
    fn alone_it_fails_in_its_own_words() {
        let mut candidates = candidates("");
        candidates.next().unwrap();
        candidates.fail("openvino", &worker("no thread"));
        assert_eq!(candidates.next(), Err("engine worker: no thread".to_owned()));
    }
}
