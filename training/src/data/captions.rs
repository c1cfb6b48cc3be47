//! What is said of a picture: up to six captions, as prompt sets for vision-language models of endoscopy have
//! them.
//!
//! | caption | says | known on a cart |
//! |---|---|---|
//! | p1 | the class: "polyp" | yes |
//! | p2 | and the shape | as far as somebody judges it |
//! | p3 | and the colour | as far as somebody judges it |
//! | p4 | and the size | no |
//! | p5 | and the number | no |
//! | p6 | and the place | no |
//!
//! p4, p5 and p6 are usually computed from the true mask: whoever is shown them knows part of the answer.
//!
//! Not here: which caption a network learns with ([`crate::fit`]).

/// A picture's captions, p1 to p6; some or all may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captions([String; Self::COUNT]);

impl Captions {
    /// How many there are at most.
    pub const COUNT: usize = 6;

    /// The first that is usually computed from the true mask.
    pub const FIRST_LEAKY: usize = 4;

    /// Captions p1 to p6, in this order; an empty text where there is none.
    pub fn new(texts: [String; Self::COUNT]) -> Self {
        Self(texts)
    }

    /// Caption `number`, from 1 to 6; none where the picture has none.
    pub fn p(&self, number: usize) -> Option<&str> {
        let text = self.0.get(number.checked_sub(1)?)?;
        (!text.is_empty()).then_some(text.as_str())
    }

    /// All six texts, empty where there is none.
    pub fn texts(&self) -> &[String; Self::COUNT] {
        &self.0
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(String::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captions_are_counted_from_one() {
        let mut texts: [String; 6] = Default::default();
        texts[0] = "polyp".to_owned();
        texts[2] = "red round polyp".to_owned();
        let captions = Captions::new(texts);
        let all: Vec<_> = (0..=7).map(|number| captions.p(number)).collect();
        assert_eq!(all, [None, Some("polyp"), None, Some("red round polyp"), None, None, None, None]);
        assert!(!captions.is_empty() && Captions::default().is_empty());
    }
}
