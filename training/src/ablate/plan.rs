//! The plan of an ablation (TOML), and the configurations that it makes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use crate::TrainingError;
use crate::fit::FitConfig;

/// What is to be compared.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ablation {
    /// A training configuration (TOML); relative to where the program is started.
    pub base: PathBuf,
    /// Epochs of every run.
    pub epochs: usize,
    /// Rows and columns of the network's input, in pixels.
    pub side_px: usize,
    /// Every row is run with each of them.
    pub seeds: Vec<u64>,
    /// Keys of the configuration that are changed for all rows.
    #[serde(default)]
    pub change: Table,
    /// What is compared; the first row is what the others are compared with.
    pub rows: Vec<Row>,
}

/// One row of the comparison.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it is called: letters, digits, `-` and `_`.
    pub name: String,
    /// The published Dice to stand beside it, in percent.
    pub paper: Option<f64>,
    /// Keys of the configuration that are changed.
    #[serde(default)]
    pub change: Table,
}

impl Ablation {
    /// Reads and checks a plan; unknown keys are refused.
    ///
    /// # Errors
    /// [`TrainingError`] naming the file and the key.
    pub fn read(path: &Path) -> Result<Self, TrainingError> {
        let plan: Self = table(path)?
            .try_into()
            .map_err(|error: toml::de::Error| wrong(path, "a plan of an ablation", &error))?;
        plan.check(path)?;
        Ok(plan)
    }

    fn check(&self, path: &Path) -> Result<(), TrainingError> {
        let refuse = |field: &str, expected: &str, found: String| {
            Err(TrainingError::field(path, field, expected, found))
        };
        if self.rows.is_empty() {
            return refuse("rows", "at least one", "none".to_owned());
        }
        let mut names = BTreeSet::new();
        for row in &self.rows {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
            if row.name.is_empty() || !row.name.chars().all(plain) || !names.insert(&row.name) {
                let expected = "names of letters, digits, - and _, each once";
                return refuse("rows.name", expected, format!("{:?}", row.name));
            }
        }
        let seeds: BTreeSet<_> = self.seeds.iter().collect();
        if seeds.is_empty() || seeds.len() != self.seeds.len() {
            return refuse("seeds", "at least one, each once", format!("{:?}", self.seeds));
        }
        Ok(())
    }

    /// The configuration of a row and a seed.
    ///
    /// # Errors
    /// [`TrainingError`] when the base can not be read, or a change makes no configuration of it, naming the row.
    pub fn config(&self, row: &Row, seed: u64) -> Result<FitConfig, TrainingError> {
        let mut merged = table(&self.base)?;
        for change in [&self.change, &row.change, &self.budget(seed)?] {
            merge(&mut merged, change);
        }
        let config: FitConfig = merged.try_into().map_err(|error: toml::de::Error| {
            wrong(&self.base, &format!("a configuration once row {} is applied", row.name), &error)
        })?;
        config.check()?;
        Ok(config)
    }

    fn budget(&self, seed: u64) -> Result<Table, TrainingError> {
        let number = |field: &str, value: u64| {
            i64::try_from(value).map(Value::Integer).map_err(|error| {
                TrainingError::field(&self.base, field, "a number of 63 bits", error.to_string())
            })
        };
        let model = Table::from_iter([("side_px".to_owned(), number("side_px", self.side_px as u64)?)]);
        Ok(Table::from_iter([
            ("epochs".to_owned(), number("epochs", self.epochs as u64)?),
            ("seed".to_owned(), number("seed", seed)?),
            ("model".to_owned(), Value::Table(model)),
        ]))
    }
}

fn table(path: &Path) -> Result<Table, TrainingError> {
    let text = std::fs::read_to_string(path).map_err(TrainingError::file("read", path))?;
    text.parse().map_err(|error: toml::de::Error| wrong(path, "TOML", &error))
}

fn wrong(path: &Path, expected: &str, error: &toml::de::Error) -> TrainingError {
    TrainingError::field(path, "(file)", expected, error.to_string().trim().replace('\n', " "))
}

/// Writes `change` over `base`, table by table.
fn merge(base: &mut Table, change: &Table) {
    for (key, value) in change {
        match (base.get_mut(key), value) {
            (Some(Value::Table(inner)), Value::Table(change)) => merge(inner, change),
            _ => {
                base.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_written_over_tables() {
        let mut base: Table = "a = 1\n[model]\nb = 2\nc = 3".parse().unwrap();
        merge(&mut base, &"d = 4\n[model]\nb = 5".parse().unwrap());
        assert_eq!(base, "a = 1\nd = 4\n[model]\nb = 5\nc = 3".parse().unwrap());
    }
}
