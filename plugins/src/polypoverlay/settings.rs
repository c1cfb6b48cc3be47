//! How to paint, as the properties say it, and checked.

use std::time::Duration;

use polyp::overlay::{self, STYLES, Style};

/// The properties' values, as the user gave them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    pub(super) style: String,
    pub(super) threshold: f32,
    pub(super) levels: String,
    pub(super) opacity: f32,
    pub(super) badge: bool,
    pub(super) line_px: f32,
    pub(super) max_mask_age: Duration,
    pub(super) enabled: bool,
}

/// The oldest mask that is shown unless the user says otherwise: what annotations of endoscopic video have been
/// cleared with.
pub(crate) const MAX_MASK_AGE: Duration = Duration::from_millis(120);

impl Default for Draft {
    fn default() -> Self {
        let painted = overlay::Settings::default();
        Self {
            style: STYLES.first().map(|style| style.name()).unwrap_or_default().to_owned(),
            threshold: painted.threshold,
            levels: write_levels(&painted.levels),
            opacity: painted.opacity,
            badge: painted.badge,
            line_px: painted.line_px,
            max_mask_age: MAX_MASK_AGE,
            enabled: true,
        }
    }
}

/// The properties' values, checked.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) style: &'static dyn Style,
    pub(super) paint: overlay::Settings,
    pub(super) max_mask_age: Duration,
    pub(super) enabled: bool,
}

impl Draft {
    /// The settings.
    ///
    /// # Errors
    /// One sentence for every property that is wrong.
    pub(super) fn check(&self) -> Result<Settings, String> {
        let mut wrong = Vec::new();
        let style = overlay::style(&self.style);
        if style.is_none() {
            let names: Vec<_> = STYLES.iter().map(|style| style.name()).collect();
            wrong.push(format!("property style: expected {}, found {:?}", names.join(" or "), self.style));
        }
        let levels = read_levels(&self.levels).unwrap_or_else(|error| {
            wrong.push(error);
            Vec::new()
        });
        let paint = overlay::Settings {
            threshold: self.threshold,
            levels,
            opacity: self.opacity,
            badge: self.badge,
            line_px: self.line_px,
        };
        wrong.extend(paint.check().err().unwrap_or_default().into_iter().map(|e| format!("property {e}")));
        match style {
            Some(style) if wrong.is_empty() => {
                Ok(Settings { style, paint, max_mask_age: self.max_mask_age, enabled: self.enabled })
            }
            _ => Err(wrong.join("; ")),
        }
    }
}

fn read_levels(text: &str) -> Result<Vec<f32>, String> {
    let refused = || format!("property levels: expected probabilities apart by commas, found {text:?}");
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(|level| level.trim().parse().map_err(|_no_number| refused())).collect()
}

fn write_levels(levels: &[f32]) -> String {
    levels.iter().map(f32::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_painters_own() {
        let settings = Draft::default().check().unwrap();
        assert_eq!(settings.paint, overlay::Settings::default());
        assert_eq!(settings.style.name(), STYLES[0].name());
        assert_eq!(Draft::default().levels, "0.25,0.5,0.75,0.95");
    }

    #[test]
    fn everything_that_is_wrong_is_said() {
        let draft = Draft { style: "glitter".to_owned(), levels: "0.5,x".to_owned(), ..Draft::default() };
        let error = draft.check().unwrap_err();
        assert!(
            error.contains("property style: expected contours") && error.contains("\"glitter\""),
            "{error}"
        );
        assert!(error.contains("property levels") && error.contains("0.5,x"), "{error}");
        let falling = Draft { levels: "0.5,0.25".to_owned(), ..Draft::default() };
        assert!(falling.check().unwrap_err().starts_with("property levels = [0.5, 0.25]"));
    }

    #[test]
    fn levels_may_have_spaces_or_be_none() {
        let levels =
            |text: &str| Draft { levels: text.to_owned(), ..Draft::default() }.check().unwrap().paint.levels;
        assert_eq!(levels(" 0.25, 0.5 "), [0.25, 0.5]);
        assert!(levels("").is_empty());
    }
}
