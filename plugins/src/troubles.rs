//! Troubles said once: each cause is reported when it begins, and once more when all has been well again for a
//! while. Without it, a network that is late on every frame would write thirty lines a second.
//!
//! Not here: putting messages on the bus (the elements do).

use std::time::Duration;

/// How long all must be well before a trouble counts as over, in the stream's time. A network that is late on
/// every other frame has one trouble, not fifteen a second.
pub const RECOVERY: Duration = Duration::from_secs(1);

/// What has been reported and is not over yet.
#[derive(Debug)]
pub struct Troubles<C> {
    active: Vec<C>,
    well_since: Option<Duration>,
}

impl<C> Default for Troubles<C> {
    fn default() -> Self {
        Self { active: Vec::new(), well_since: None }
    }
}

impl<C: Clone + PartialEq> Troubles<C> {
    /// The frame at `time` met trouble. True when this cause is to be reported now.
    pub fn trouble(&mut self, cause: &C) -> bool {
        self.well_since = None;
        let new = !self.active.contains(cause);
        if new {
            self.active.push(cause.clone());
        }
        new
    }

    /// The frame at `time` met none. Gives back the causes that are over, once.
    pub fn well(&mut self, time: Duration) -> Vec<C> {
        if self.active.is_empty() {
            return Vec::new();
        }
        match self.well_since {
            // Time that ran backwards (a seek) starts the count anew.
            Some(since) if time >= since => {
                if time - since < RECOVERY {
                    return Vec::new();
                }
                self.well_since = None;
                std::mem::take(&mut self.active)
            }
            _ => {
                self.well_since = Some(time);
                Vec::new()
            }
        }
    }

    /// The causes that are reported and not over.
    pub fn active(&self) -> &[C] {
        &self.active
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_cause_is_said_once_until_it_is_over() {
        let mut troubles = Troubles::default();
        assert!(troubles.trouble(&"late"));
        assert!(!troubles.trouble(&"late"));
        assert!(troubles.trouble(&"fault"));
        assert_eq!(troubles.well(ms(0)), [""; 0]);
        assert_eq!(troubles.well(ms(999)), [""; 0]);
        assert_eq!(troubles.well(ms(1000)), ["late", "fault"]);
        assert_eq!(troubles.well(ms(9000)), [""; 0]);
        assert!(troubles.trouble(&"late"));
    }

    #[test]
    fn a_relapse_starts_the_count_anew() {
        let mut troubles = Troubles::default();
        assert!(troubles.trouble(&"late"));
        assert!(troubles.well(ms(0)).is_empty());
        assert!(!troubles.trouble(&"late"));
        assert!(troubles.well(ms(900)).is_empty());
        assert!(troubles.well(ms(1800)).is_empty());
        assert_eq!(troubles.well(ms(1900)), ["late"]);
    }

    #[test]
    fn time_that_runs_backwards_is_no_recovery() {
        let mut troubles = Troubles::default();
        assert!(troubles.trouble(&"late"));
        assert!(troubles.well(ms(5000)).is_empty());
        assert!(troubles.well(ms(10)).is_empty());
        assert!(troubles.well(ms(20)).is_empty());
        assert_eq!(troubles.well(ms(1010)), ["late"]);
    }
}
