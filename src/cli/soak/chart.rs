//! The curves of a soak as an SVG: memory, what is held, ages of masks, the picture's delay.

use std::time::Duration;

use plotters::coord::Shift;
use plotters::prelude::*;

use super::sample::Sample;
use crate::cli::failure::Failure;

/// Width of the picture and height of one panel, in pixels.
const PANEL: (u32, u32) = (960, 210);
const TITLE_PX: u32 = 40;
const FIRST: RGBColor = RGBColor(0, 90, 160);
const SECOND: RGBColor = RGBColor(200, 90, 0);

type Value = fn(&Sample) -> f64;

/// One panel: what it is in, and its two curves.
struct Panel {
    unit: &'static str,
    curves: [(&'static str, RGBColor, Value); 2],
}

const PANELS: [Panel; 4] = [
    Panel {
        unit: "RSS, MiB",
        curves: [
            ("picture's process", FIRST, |sample| sample.own.rss_kib as f64 / 1024.0),
            ("engine's processes", SECOND, |sample| sample.engines.rss_kib as f64 / 1024.0),
        ],
    },
    Panel {
        unit: "held",
        curves: [
            ("file descriptors", FIRST, |sample| sample.descriptors() as f64),
            ("threads", SECOND, |sample| sample.threads() as f64),
        ],
    },
    Panel {
        unit: "mask age, ms",
        curves: [
            ("oldest", FIRST, |sample| sample.mask_ages.longest_ms),
            ("99th percentile", SECOND, |sample| sample.mask_ages.p99_ms),
        ],
    },
    Panel {
        unit: "picture path, ms",
        curves: [
            ("longest", FIRST, |sample| sample.path.longest_ms),
            ("99th percentile", SECOND, |sample| sample.path.p99_ms),
        ],
    },
];

/// Draws the curves of `samples` under `title`; nothing of fewer than two samples.
pub(super) fn curves(title: &str, samples: &[Sample], warm_up: Duration) -> Result<Option<String>, Failure> {
    if samples.len() < 2 {
        return Ok(None);
    }
    let mut svg = String::new();
    draw(title, samples, warm_up, &mut svg)
        .map_err(|error| Failure::Stream(format!("the curves can not be drawn: {error}")))?;
    Ok(Some(svg))
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(title: &str, samples: &[Sample], warm_up: Duration, svg: &mut String) -> Drawn {
    let height = TITLE_PX + PANEL.1 * PANELS.len() as u32;
    let area = SVGBackend::with_string(svg, (PANEL.0, height)).into_drawing_area();
    area.fill(&WHITE)?;
    let late = samples.last().map_or(0, |sample| sample.late);
    let area = area.titled(&format!("{title}; {late} frames late"), ("sans-serif", 18))?;
    for (panel, area) in PANELS.iter().zip(area.split_evenly((PANELS.len(), 1))) {
        panel.draw(&area, samples, warm_up)?;
    }
    area.present()?;
    Ok(())
}

impl Panel {
    fn draw(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
        samples: &[Sample],
        warm_up: Duration,
    ) -> Drawn {
        let minutes = |time: Duration| time.as_secs_f64() / 60.0;
        let values = self.curves.iter().flat_map(|(_, _, value)| samples.iter().map(value));
        // From zero: growth is to be seen against what is held.
        let high = values.fold(0.0, f64::max) * 1.1 + f64::EPSILON;
        let last = samples.last().map_or(0.0, |sample| minutes(sample.time)).max(f64::EPSILON);
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .x_label_area_size(32)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..last, 0.0..high)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_desc("minutes")
            .y_desc(self.unit)
            .y_labels(5)
            .draw()?;
        let start = minutes(warm_up);
        let warm = PathElement::new([(start, 0.0), (start, high)], BLACK.mix(0.4));
        chart
            .draw_series(std::iter::once(warm))?
            .label("end of the warm-up")
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK.mix(0.4)));
        for (name, colour, value) in &self.curves {
            // What stands in the first sample is of no time at all.
            let points = samples.iter().skip(1).map(|sample| (minutes(sample.time), value(sample)));
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(1)))?
                .label(*name)
                .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_and_words_are_drawn() {
        let sample = |second| Sample { time: Duration::from_secs(second), ..Sample::default() };
        let samples: Vec<Sample> = (0..30).map(sample).collect();
        let svg = curves("a soak", &samples, Duration::from_secs(7)).unwrap().unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for word in ["a soak; 0 frames late", "minutes", "engine&apos;s processes", "mask age, ms", "threads"]
        {
            assert!(svg.contains(word) || svg.contains(&word.replace("&apos;", "'")), "{word}");
        }
        assert!(curves("a soak", &samples[..1], Duration::ZERO).unwrap().is_none());
    }
}
