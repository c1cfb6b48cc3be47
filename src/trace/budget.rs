//! How long stages may take.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::stage::{COUNT, Stage};
use crate::config::parse_duration;

/// The longest limit that can be asked for: whatever takes longer is not live.
const LONGEST: Duration = Duration::from_secs(1);

/// A limit for any stage; by default none. As text: `picture=5.75ms,motion=2ms`, with the unit that configurations take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget([Option<Duration>; COUNT]);

/// A text that is no budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "budget {found:?}: expected STAGE=TIME, apart by commas, as picture=5.75ms,motion=2ms, each stage once and above 0 up to 1000ms; stages are {}",
    names()
)]
pub struct BudgetError {
    /// The part that is wrong.
    found: String,
}

fn names() -> String {
    Stage::ALL.map(Stage::name).join(", ")
}

impl Budget {
    /// What `stage` may take.
    pub fn limit(&self, stage: Stage) -> Option<Duration> {
        self.0.get(stage as usize).copied().flatten()
    }

    /// The same with another limit for `stage`.
    pub fn with(mut self, stage: Stage, limit: Option<Duration>) -> Self {
        if let Some(place) = self.0.get_mut(stage as usize) {
            *place = limit;
        }
        self
    }

    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

impl FromStr for Budget {
    type Err = BudgetError;

    fn from_str(text: &str) -> Result<Self, BudgetError> {
        let mut budget = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let wrong = || BudgetError { found: part.to_owned() };
            let (name, time) = part.split_once('=').ok_or_else(wrong)?;
            let stage = Stage::named(name.trim()).ok_or_else(wrong)?;
            let limit = parse_duration(time.trim()).map_err(|_no_duration| wrong())?;
            if limit.is_zero() || limit > LONGEST || budget.limit(stage).is_some() {
                return Err(wrong());
            }
            budget = budget.with(stage, Some(limit));
        }
        Ok(budget)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = Stage::ALL.into_iter().filter_map(|stage| Some((stage.name(), self.limit(stage)?)));
        for (index, (name, limit)) in limits.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{name}={}ms", limit.as_secs_f64() * 1e3)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_read_as_it_is_written() {
        let budget: Budget = " picture = 5.75ms, paint=500us ".parse().unwrap();
        assert_eq!(budget.limit(Stage::Picture), Some(Duration::from_micros(5_750)));
        assert_eq!(budget.limit(Stage::Paint), Some(Duration::from_micros(500)));
        assert_eq!(budget.limit(Stage::Motion), None);
        assert_eq!(budget.to_string(), "picture=5.75ms,paint=0.5ms");
        assert_eq!(budget.to_string().parse(), Ok(budget));
        assert!("".parse::<Budget>().unwrap().is_empty());
    }

    #[test]
    fn what_is_no_budget_is_named() {
        for (text, found) in [
            ("picture", "picture"),
            ("picture=5", "picture=5"),
            ("picture=5ms,render=1ms", "render=1ms"),
            ("paint=0ms", "paint=0ms"),
            ("paint=1001ms", "paint=1001ms"),
            ("paint=-1ms", "paint=-1ms"),
            ("paint=nanms", "paint=nanms"),
            ("paint=1ms,paint=2ms", "paint=2ms"),
        ] {
            let error = text.parse::<Budget>().unwrap_err();
            assert_eq!(error, BudgetError { found: found.to_owned() });
            assert!(error.to_string().contains("stages are picture, segment"), "{error}");
        }
    }
}
