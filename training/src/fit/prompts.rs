//! Which text goes with which picture while a network learns.
//!
//! A cart has one fixed prompt and no caption, so a network has to work with that alone; but one that only ever saw one
//! sentence has learned to ignore it. So each picture draws its text anew in every epoch: nothing at all, the fixed
//! prompt, a sentence of the class, or its own caption. The draw depends on (seed, epoch, index of the picture) alone.
//!
//! Captions p4 to p6 say how large the polyp is, how many there are and where: they were computed from the truth, and no
//! scope comes with them. They have to be asked for by their name, leaky, and everything that comes of them says so.
//!
//! Not here: the text encoder (`polyp_engine::prompt`), the prompt that is shipped ([`FitConfig::prompt`]).

use std::collections::HashMap;

use polyp::model::PROMPT_TOKENS;
use polyp_engine::prompt::TextEncoder;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::FitConfig;
use crate::data::{Captions, Info, Random};
use crate::error::TrainingError;

/// Texts whose features are kept in memory: 37 kB each with MiniLM.
const KEPT: usize = 4096;
/// Keeps the draw apart from the same picture's augmentation.
const PURPOSE: u64 = 0x7465_7874;

/// The mix of texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptMix {
    /// Probability of no text: its features are zeros.
    pub dropout: f32,
    /// How often the fixed prompt is drawn, relative to the two below.
    pub fixed: f32,
    /// How often a sentence is drawn.
    pub sentence: f32,
    /// How often the picture's own caption is drawn; the fixed prompt where it has none.
    pub caption: f32,
    /// Sentences that fit every polyp.
    pub sentences: Vec<String>,
    /// Which captions are drawn from: 1 to 3, and 4 to 6 where `leaky_captions` is set.
    pub captions: Vec<usize>,
    /// Allows captions that were computed from the truth.
    pub leaky_captions: bool,
}

impl Default for PromptMix {
    fn default() -> Self {
        Self {
            dropout: 0.0,
            fixed: 1.0,
            sentence: 0.0,
            caption: 0.0,
            sentences: Vec::new(),
            captions: vec![1, 2, 3],
            leaky_captions: false,
        }
    }
}

impl PromptMix {
    /// Refuses shares and captions that make no sense.
    ///
    /// # Errors
    /// [`TrainingError::Field`] naming the key.
    pub(super) fn check(&self) -> Result<(), TrainingError> {
        let wrong = |field: &str, expected: &str, found: String| {
            Err(TrainingError::field("configuration".as_ref(), format!("prompts.{field}"), expected, found))
        };
        for (field, share) in [
            ("dropout", self.dropout),
            ("fixed", self.fixed),
            ("sentence", self.sentence),
            ("caption", self.caption),
        ] {
            if !(0.0..=1.0).contains(&share) {
                return wrong(field, "0 to 1", share.to_string());
            }
        }
        if self.fixed + self.sentence + self.caption <= 0.0 {
            return wrong("fixed", "above 0, or a share of sentences or captions", "0".to_owned());
        }
        if self.sentence > 0.0 && self.sentences.is_empty() {
            return wrong("sentences", "at least one, as they are drawn", "none".to_owned());
        }
        for caption in &self.captions {
            if !(1..=Captions::COUNT).contains(caption) {
                return wrong("captions", "1 to 6", caption.to_string());
            }
            if *caption >= Captions::FIRST_LEAKY && !self.leaky_captions {
                let found = format!("{caption}, which was computed from the truth");
                return wrong("captions", "1 to 3 (leaky_captions is not set)", found);
            }
        }
        if self.caption > 0.0 && self.captions.is_empty() {
            return wrong("captions", "at least one of 1 to 6, as they are drawn", "none".to_owned());
        }
        Ok(())
    }

    /// Whether what comes of the mix has to be called leaky.
    pub fn is_leaky(&self) -> bool {
        self.caption > 0.0 && self.captions.iter().any(|caption| *caption >= Captions::FIRST_LEAKY)
    }

    /// The text of a picture; none when it is dropped.
    fn draw<'a>(&'a self, fixed: &'a str, info: &'a Info, random: &mut Random) -> Option<&'a str> {
        if random.chance(self.dropout) {
            return None;
        }
        let at = random.between(0.0, self.fixed + self.sentence + self.caption);
        let which = random.bits();
        let pick = |count: usize| usize::try_from(which % count.max(1) as u64).unwrap_or(0);
        if at < self.sentence {
            return self.sentences.get(pick(self.sentences.len())).map(String::as_str);
        }
        if at < self.sentence + self.caption {
            let own: Vec<&str> =
                self.captions.iter().filter_map(|&caption| info.captions.p(caption)).collect();
            return Some(own.get(pick(own.len())).copied().unwrap_or(fixed));
        }
        Some(fixed)
    }
}

/// The texts of a batch.
#[derive(Debug)]
pub struct Texts {
    /// `[U,24,W]`: each text once.
    pub(super) features: Tensor,
    /// Which of them each picture has, `[B]`; none when all have the first.
    pub(super) places: Option<Tensor>,
}

/// Draws texts and knows their features.
pub struct Prompter {
    encoder: TextEncoder,
    mix: PromptMix,
    fixed: String,
    seed: u64,
    width: usize,
    device: Device,
    kept: HashMap<String, Tensor>,
}

impl std::fmt::Debug for Prompter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prompter").field("fixed", &self.fixed).field("mix", &self.mix).finish_non_exhaustive()
    }
}

impl Prompter {
    /// The prompts of a run.
    ///
    /// # Errors
    /// When the text encoder can not be read, or is of another width than the model.
    pub fn new(config: &FitConfig, device: Device) -> Result<Self, TrainingError> {
        let mut prompter = Self {
            encoder: TextEncoder::open(&config.text_encoder)?,
            mix: config.prompts.clone(),
            fixed: config.prompt.clone(),
            seed: config.seed,
            width: config.model.text_width,
            device,
            kept: HashMap::new(),
        };
        let expected = [1, PROMPT_TOKENS as i64, prompter.width as i64];
        let found = prompter.features(Some(&config.prompt))?.size();
        if found != expected {
            return Err(TrainingError::field(
                &config.text_encoder,
                "hidden_size",
                format!("features of shape {expected:?}"),
                format!("{found:?}"),
            ));
        }
        Ok(prompter)
    }

    /// The fixed prompt, for all pictures of a batch.
    ///
    /// # Errors
    /// When libtorch refuses a copy.
    pub fn fixed(&mut self) -> Result<Texts, TrainingError> {
        let fixed = self.fixed.clone();
        Ok(Texts { features: self.features(Some(&fixed))?, places: None })
    }

    /// The texts that the pictures `indices` of `infos` draw in epoch `epoch`; the fixed prompt where nothing is known
    /// of a picture.
    ///
    /// # Errors
    /// When a caption can not be encoded.
    pub fn draw(&mut self, infos: &[Info], indices: &[usize], epoch: u64) -> Result<Texts, TrainingError> {
        let mut unique: Vec<Option<String>> = Vec::new();
        let mut places = Vec::with_capacity(indices.len());
        for &index in indices {
            let mut random = Random::new(&[self.seed, epoch, index as u64, PURPOSE]);
            let text = match infos.get(index) {
                Some(info) => self.mix.draw(&self.fixed, info, &mut random),
                None => Some(self.fixed.as_str()),
            };
            let place = unique.iter().position(|other| other.as_deref() == text);
            places.push(place.unwrap_or(unique.len()) as i64);
            if place.is_none() {
                unique.push(text.map(str::to_owned));
            }
        }
        let mut features = Vec::with_capacity(unique.len());
        for text in &unique {
            features.push(self.features(text.as_deref())?);
        }
        let features = Tensor::f_cat(&features, 0)?;
        let several = unique.len() > 1;
        let places =
            if several { Some(Tensor::f_from_slice(&places)?.f_to_device(self.device)?) } else { None };
        Ok(Texts { features, places })
    }

    /// `[1,24,W]`; zeros for no text.
    fn features(&mut self, text: Option<&str>) -> Result<Tensor, TrainingError> {
        let shape = [1, PROMPT_TOKENS as i64, self.width as i64];
        let Some(text) = text else { return Ok(Tensor::f_zeros(shape, (Kind::Float, self.device))?) };
        if let Some(features) = self.kept.get(text) {
            return Ok(features.shallow_clone());
        }
        let array = self.encoder.encode(text)?;
        let width = array.shape.last().copied().unwrap_or(0) as i64;
        let features = Tensor::f_from_slice(&array.values)?
            .f_reshape([1, PROMPT_TOKENS as i64, width])?
            .f_to_device(self.device)?;
        if self.kept.len() >= KEPT {
            self.kept.clear();
        }
        self.kept.insert(text.to_owned(), features.shallow_clone());
        Ok(features)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;

    fn info(captions: [&str; 6]) -> Info {
        Info {
            name: "a".to_owned(),
            group: "a".to_owned(),
            split: Split::Train,
            source: String::new(),
            licence: String::new(),
            size: polyp::frame::Size::new(8, 8),
            captions: Captions::new(captions.map(str::to_owned)),
        }
    }

    fn mix() -> PromptMix {
        PromptMix {
            dropout: 0.2,
            fixed: 0.5,
            sentence: 0.25,
            caption: 0.25,
            sentences: vec!["a lump".to_owned(), "a stalk".to_owned()],
            captions: vec![2, 3],
            leaky_captions: false,
        }
    }

    #[test]
    fn every_kind_is_drawn_as_often_as_it_says() {
        let (mix, info) = (mix(), info(["polyp", "round polyp", "red round polyp", "", "", ""]));
        let mut counts: HashMap<Option<&str>, usize> = HashMap::new();
        for n in 0..4000 {
            *counts.entry(mix.draw("polyp", &info, &mut Random::new(&[n]))).or_default() += 1;
        }
        for (text, expected) in [
            (None, 800),
            (Some("polyp"), 1600),
            (Some("a lump"), 400),
            (Some("a stalk"), 400),
            (Some("round polyp"), 400),
            (Some("red round polyp"), 400),
        ] {
            let found = counts.remove(&text).unwrap_or(0);
            assert!(found.abs_diff(expected) < 100, "{text:?}: {found}");
        }
        assert!(counts.is_empty(), "{counts:?}");
    }

    #[test]
    fn a_picture_without_a_caption_has_the_fixed_prompt() {
        let mix = PromptMix { dropout: 0.0, fixed: 0.0, sentence: 0.0, caption: 1.0, ..mix() };
        let info = info(["polyp", "", "", "small red polyp", "", ""]);
        for n in 0..50 {
            assert_eq!(mix.draw("polyp", &info, &mut Random::new(&[n])), Some("polyp"));
        }
    }

    #[test]
    fn what_was_computed_from_the_truth_has_to_be_called_leaky() {
        let mix = PromptMix { captions: vec![1, 6], ..mix() };
        let message = mix.check().unwrap_err().to_string();
        assert!(message.contains("prompts.captions: expected 1 to 3"), "{message}");
        assert!(message.contains("6, which was computed from the truth"), "{message}");
        let mix = PromptMix { leaky_captions: true, ..mix };
        mix.check().unwrap();
        assert!(mix.is_leaky());
        assert!(!PromptMix { caption: 0.0, ..mix }.is_leaky());
    }

    #[test]
    fn shares_and_lists_are_checked() {
        mix().check().unwrap();
        PromptMix::default().check().unwrap();
        for (wrong, key) in [
            (PromptMix { dropout: 1.5, ..mix() }, "prompts.dropout"),
            (PromptMix { sentences: Vec::new(), ..mix() }, "prompts.sentences"),
            (PromptMix { captions: vec![7], ..mix() }, "prompts.captions"),
            (PromptMix { captions: Vec::new(), ..mix() }, "prompts.captions"),
            (PromptMix { fixed: 0.0, sentence: 0.0, caption: 0.0, ..mix() }, "prompts.fixed"),
        ] {
            let message = wrong.check().unwrap_err().to_string();
            assert!(message.contains(key), "{message}");
        }
    }
}
