//! What a run tells of itself: after every step, and after every epoch.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::StepLoss;
use crate::loss::Term;

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// From 1.
    pub epoch: usize,
    /// Mean training loss.
    pub train_loss: f64,
    /// Means of its terms by name, before they are weighted; a loss that is no sum has one, itself.
    #[serde(default)]
    pub train_terms: BTreeMap<String, f64>,
    /// Loss of the averaged weights on the validation split.
    pub validation_loss: f64,
    /// Per-image Dice of the averaged weights on the validation split, at the network's resolution.
    pub validation_dice: f64,
    /// Learning rate at the epoch's end.
    pub learning_rate: f64,
    /// Pictures learned from in a second, validation left out.
    #[serde(default)]
    pub pictures_per_s: f64,
    /// Seconds the epoch took, validation included; since it was gone on with, if it was.
    pub seconds: f64,
    /// Whether it is the best so far.
    pub best: bool,
}

impl EpochMetrics {
    /// One line for people, of a run of `epochs` epochs.
    pub fn line(&self, epochs: usize) -> String {
        let terms: Vec<String> =
            self.train_terms.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
        let left_min = (epochs.saturating_sub(self.epoch)) as f64 * self.seconds / 60.0;
        format!(
            "epoch {}/{epochs}: training loss {:.4} ({}), validation loss {:.4}, Dice {:.4}{}, {:.1} pictures/s, \
             {left_min:.0} min left",
            self.epoch,
            self.train_loss,
            terms.join(", "),
            self.validation_loss,
            self.validation_dice,
            if self.best { ", the best so far" } else { "" },
            self.pictures_per_s,
        )
    }
}

/// An epoch's losses so far, added up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochSums {
    /// Steps done.
    pub steps: usize,
    /// Sum of the loss.
    pub total: f64,
    /// Sums of its terms.
    pub terms: Vec<f64>,
}

impl EpochSums {
    /// Adds a step.
    pub fn add(&mut self, loss: &StepLoss) {
        self.steps += 1;
        self.total += loss.total;
        self.terms.resize(loss.terms.len(), 0.0);
        for (sum, term) in self.terms.iter_mut().zip(&loss.terms) {
            *sum += term;
        }
    }

    /// Mean loss of a step.
    pub fn mean(&self) -> f64 {
        self.total / self.steps.max(1) as f64
    }

    /// Mean of every term, by the terms' names.
    pub fn named(&self, terms: &[Term]) -> BTreeMap<String, f64> {
        let mean = |sum: &f64| sum / self.steps.max(1) as f64;
        terms.iter().zip(&self.terms).map(|(term, sum)| (term.loss.name().to_owned(), mean(sum))).collect()
    }
}

/// Where a run stands, for a progress bar.
#[derive(Clone)]
pub struct Progress<'a> {
    /// From 1.
    pub epoch: usize,
    /// Of so many.
    pub epochs: usize,
    /// Steps in an epoch.
    pub steps: usize,
    /// The epoch so far.
    pub sums: &'a EpochSums,
    /// What its terms are.
    pub terms: &'a [Term],
    /// Best validation Dice so far; 0 before the first epoch's end.
    pub best_dice: f64,
    /// Pictures learned from in a second, over the epoch so far.
    pub pictures_per_s: f64,
}

impl std::fmt::Debug for Progress<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress")
            .field("epoch", &self.epoch)
            .field("sums", self.sums)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::loss;

    #[test]
    fn means_are_of_the_steps_done_and_have_names() {
        let terms = loss("dice-bce").unwrap().terms();
        let mut sums = EpochSums::default();
        sums.add(&StepLoss { total: 1.0, terms: vec![0.5, 0.5] });
        sums.add(&StepLoss { total: 2.0, terms: vec![1.5, 0.5] });
        assert_eq!(sums.mean(), 1.5);
        let named = sums.named(terms);
        assert_eq!(
            named.into_iter().collect::<Vec<_>>(),
            [("bce".to_owned(), 0.5), ("dice".to_owned(), 1.0)]
        );
    }
}
