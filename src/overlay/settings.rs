//! How to paint: the numbers that every style follows.

use crate::frame::Size;

/// A length that is given for frames 1080 pixels high, in a frame of `size`.
pub(super) fn scaled(px: f32, size: Size) -> f32 {
    px * size.height as f32 / 1080.0
}

/// How to paint. Made by configuration, then checked once with [`Settings::check`].
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The probability at which the mask's edge lies; above 0 and below 1.
    pub threshold: f32,
    /// Probabilities at which `contours` draws iso-lines; rising, each above 0 and below 1, at most 8.
    pub levels: Vec<f32>,
    /// How firmly areas are tinted: 0 (not at all) to 1 (solid). Lines are always firm.
    pub opacity: f32,
    /// Whether the state is painted in the corner even while all is well (live or held). States without a mask
    /// always are.
    pub badge: bool,
    /// Width of the main line in pixels on a frame 1080 pixels high; 0.5 to 16. It scales with the frame's
    /// height and is never drawn under 1.2 pixels.
    pub line_px: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { threshold: 0.5, levels: vec![0.25, 0.5, 0.75, 0.95], opacity: 0.3, badge: true, line_px: 2.5 }
    }
}

/// A setting out of bounds.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{key} = {found}: expected {expected}")]
pub struct SettingsError {
    /// The setting's name.
    pub key: &'static str,
    /// Its value.
    pub found: String,
    /// What it may be.
    pub expected: &'static str,
}

impl Settings {
    /// Checks every setting.
    ///
    /// # Errors
    /// Every [`SettingsError`] that there is, not the first alone.
    pub fn check(&self) -> Result<(), Vec<SettingsError>> {
        let open = |p: f32| p > 0.0 && p < 1.0;
        let mut errors = Vec::new();
        let mut rule = |holds: bool, key, found: String, expected| {
            if !holds {
                errors.push(SettingsError { key, found, expected });
            }
        };
        rule(open(self.threshold), "threshold", self.threshold.to_string(), "above 0 and below 1");
        let rising = self.levels.iter().zip(self.levels.iter().skip(1)).all(|(low, high)| low < high);
        rule(
            rising && self.levels.len() <= 8 && self.levels.iter().all(|level| open(*level)),
            "levels",
            format!("{:?}", self.levels),
            "at most 8 rising probabilities, each above 0 and below 1",
        );
        rule((0.0..=1.0).contains(&self.opacity), "opacity", self.opacity.to_string(), "0 to 1");
        rule((0.5..=16.0).contains(&self.line_px), "line-px", self.line_px.to_string(), "0.5 to 16");
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }
}
