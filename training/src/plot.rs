//! A run's learning curves as an SVG: loss above, Dice below, the best epoch marked.
//!
//! Not here: measuring anything.

use std::path::Path;

use plotters::prelude::*;

use crate::TrainingError;
use crate::fit::EpochMetrics;

/// Width and height of the picture, in pixels.
const SIZE: (u32, u32) = (900, 640);
const TRAIN: RGBColor = RGBColor(0, 90, 160);
const VALIDATION: RGBColor = RGBColor(200, 90, 0);

/// Reads the `metrics.jsonl` of a run.
///
/// # Errors
/// [`TrainingError`] when the file can not be read, has no line, or one is not an epoch's.
pub fn read_metrics(path: &Path) -> Result<Vec<EpochMetrics>, TrainingError> {
    let text = std::fs::read_to_string(path).map_err(TrainingError::file("read", path))?;
    let mut all = Vec::new();
    for (index, line) in text.lines().enumerate() {
        all.push(serde_json::from_str(line).map_err(|error| {
            let field = format!("line {}", index + 1);
            TrainingError::field(path, field, "an epoch's metrics", error.to_string())
        })?);
    }
    if all.is_empty() {
        return Err(TrainingError::field(path, "lines", "at least one epoch", "none"));
    }
    Ok(all)
}

/// Draws the learning curves of some epochs, as the text of an SVG.
///
/// # Errors
/// [`TrainingError::Plot`] when there is nothing to draw.
pub fn learning_curves(epochs: &[EpochMetrics]) -> Result<String, TrainingError> {
    let mut svg = String::new();
    draw(epochs, &mut svg).map_err(|error| TrainingError::Plot { message: error.to_string() })?;
    Ok(svg)
}

type Drawn = Result<(), Box<dyn std::error::Error>>;
type Curve = (&'static str, RGBColor, fn(&EpochMetrics) -> f64);

fn draw(epochs: &[EpochMetrics], svg: &mut String) -> Drawn {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (upper, lower) = area.split_vertically(SIZE.1 / 2);
    let losses: [Curve; 2] = [
        ("loss, training", TRAIN, |epoch| epoch.train_loss),
        ("loss, validation", VALIDATION, |epoch| epoch.validation_loss),
    ];
    let dice: [Curve; 1] = [("Dice per picture, validation", VALIDATION, |epoch| epoch.validation_dice)];
    panel(&upper, "loss", epochs, &losses)?;
    panel(&lower, "Dice", epochs, &dice)?;
    area.present()?;
    Ok(())
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    unit: &str,
    epochs: &[EpochMetrics],
    curves: &[Curve],
) -> Drawn {
    let values = || curves.iter().flat_map(|(_, _, value)| epochs.iter().map(value));
    let (low, high) = values().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if !(low.is_finite() && high.is_finite()) {
        return Err(format!("{unit}: expected finite values, found {low} to {high}").into());
    }
    let room = 0.05 * (high - low).max(1e-3);
    let last = epochs.last().map_or(1.0, |epoch| epoch.epoch as f64).max(2.0);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(1.0..last, low - room..high + room)?;
    chart.configure_mesh().light_line_style(WHITE).x_desc("epoch").y_desc(unit).draw()?;
    for (name, colour, value) in curves {
        let points = epochs.iter().map(|epoch| (epoch.epoch as f64, value(epoch)));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(*name)
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    if let Some(best) = epochs.iter().rfind(|epoch| epoch.best) {
        let x = best.epoch as f64;
        let line = [(x, low - room), (x, high + room)];
        chart
            .draw_series(std::iter::once(PathElement::new(line, BLACK.mix(0.5))))?
            .label(format!("best epoch, {}", best.epoch))
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK.mix(0.5)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3)).draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(epoch: usize) -> EpochMetrics {
        let x = epoch as f64;
        EpochMetrics {
            epoch,
            train_loss: 1.0 / x,
            validation_loss: 1.2 / x,
            validation_dice: 1.0 - 0.5 / x,
            train_terms: [("dice".to_owned(), 1.0 / x)].into(),
            learning_rate: 1e-3,
            pictures_per_s: 10.0,
            seconds: 60.0,
            best: true,
        }
    }

    #[test]
    fn curves_and_words_are_drawn() {
        for count in [1, 2, 30] {
            let svg = learning_curves(&(1..=count).map(epoch).collect::<Vec<_>>()).unwrap();
            assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
            for word in ["epoch", "loss, training", "Dice per picture, validation", "best epoch"] {
                assert!(svg.contains(word), "{word}");
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_refused() {
        let broken = EpochMetrics { train_loss: f64::NAN, validation_loss: f64::NAN, ..epoch(1) };
        let message = learning_curves(&[broken]).unwrap_err().to_string();
        assert!(message.starts_with("plot: loss: expected finite values"), "{message}");
        assert!(learning_curves(&[]).is_err());
    }
}
