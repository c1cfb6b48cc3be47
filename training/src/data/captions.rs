//! A picture's captions.

/// Captions p1 to p6; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captions([String; 6]);

impl Captions {
    /// p1 to p6, in order.
    pub fn new(captions: [String; 6]) -> Self {
        Self(captions)
    }

    /// Caption `n`, 1 to 6; none where there is none.
    pub fn p(&self, n: usize) -> Option<&str> {
        self.0.get(n.checked_sub(1)?).map(String::as_str).filter(|text| !text.is_empty())
    }
}
