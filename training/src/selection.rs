//! Which pictures of a data set are looked at: one side, and of it perhaps only those with small lesions.
//!
//! Not here: running the network on them ([`crate::score`]).

use std::collections::BTreeMap;
use std::ops::Range;

use crate::TrainingError;
use crate::data::{Captions, DataSet, Info, Split};

/// Some pictures of a data set, in its order. There is at least one.
#[derive(Clone, Debug)]
pub struct Selection<'a> {
    data: &'a DataSet,
    indices: Vec<usize>,
    words: String,
    prompts: Option<Prompts>,
}

/// A prompt for each picture of a data set.
#[derive(Clone, Debug)]
struct Prompts {
    words: String,
    /// By the pictures' numbers in the data set.
    texts: BTreeMap<usize, String>,
}

impl<'a> Selection<'a> {
    /// All pictures of one side.
    ///
    /// # Errors
    /// [`TrainingError`] when that side has none.
    pub fn side(data: &'a DataSet, split: Split) -> Result<Self, TrainingError> {
        let indices = data.indices(split);
        if indices.is_empty() {
            let field = format!("split {}", split.name());
            return Err(TrainingError::field(data.path(), field, "at least one picture", "none"));
        }
        Ok(Self { data, indices, words: split.name().to_owned(), prompts: None })
    }

    /// Those of them whose lesions take at least `range.start` of the picture and less than `range.end` (0 to 1).
    /// Pictures without a lesion have a share of 0. Their masks are read.
    ///
    /// # Errors
    /// [`TrainingError`] when a picture can not be read or none is left.
    pub fn lesion_share(&self, range: Range<f64>) -> Result<Self, TrainingError> {
        let words = format!("{}, lesion {:?} to {:?} of the picture", self.words, range.start, range.end);
        let mut indices = Vec::new();
        for &index in &self.indices {
            let mask = &self.data.read(index)?.mask;
            let lesion = mask.iter().filter(|value| **value == 1).count();
            if range.contains(&(lesion as f64 / mask.len().max(1) as f64)) {
                indices.push(index);
            }
        }
        if indices.is_empty() {
            return Err(TrainingError::field(self.data.path(), words, "at least one picture", "none"));
        }
        Ok(Self { indices, words, ..self.clone() })
    }

    /// Those of its pictures that stand at `places` in it, in their order; places beyond its end are left out.
    pub fn only(&self, places: &[usize]) -> Self {
        let indices = places.iter().filter_map(|place| self.indices.get(*place).copied()).collect();
        Self { indices, ..self.clone() }
    }

    /// The same pictures, each with its own caption `number` (1 to 6) as its prompt.
    ///
    /// # Errors
    /// [`TrainingError`] when a picture has no such caption.
    pub fn captioned(&self, number: usize) -> Result<Self, TrainingError> {
        let mut texts = BTreeMap::new();
        for (index, info) in self.indices.iter().zip(self.infos()) {
            let Some(text) = info.captions.p(number) else {
                let field = format!("caption p{number} of {}", info.name);
                return Err(TrainingError::field(self.data.path(), field, "a text", "none"));
            };
            texts.insert(*index, text.to_owned());
        }
        let leaky = if Self::is_leaky(number) { " (leaky)" } else { "" };
        let words = format!("each picture's caption p{number}{leaky}");
        Ok(Self { prompts: Some(Prompts { words, texts }), ..self.clone() })
    }

    /// Whether caption `number` tells the network part of the truth.
    pub fn is_leaky(number: usize) -> bool {
        number >= Captions::FIRST_LEAKY
    }

    /// The prompt of picture `index` of the data set, if it has one of its own.
    pub fn prompt(&self, index: usize) -> Option<&str> {
        self.prompts.as_ref()?.texts.get(&index).map(String::as_str)
    }

    /// What stands for the pictures' own prompts in reports, if they have some.
    pub fn prompt_words(&self) -> Option<&str> {
        self.prompts.as_ref().map(|prompts| prompts.words.as_str())
    }

    /// The data set.
    pub fn data(&self) -> &'a DataSet {
        self.data
    }

    /// Its pictures' numbers in the data set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// What is known of its pictures.
    pub fn infos(&self) -> Vec<&'a Info> {
        self.indices.iter().filter_map(|index| self.data.info(*index)).collect()
    }

    /// Which pictures these are, for tables: the split, and what was selected by.
    pub fn words(&self) -> &str {
        &self.words
    }
}
