//! Diagrams as SVG: how far stated probabilities are true, and how Dice depends on the lesion's size.
//!
//! Not here: what is counted (`polyp::metric`).

use plotters::coord::Shift;
use plotters::prelude::*;
use polyp::metric::{Reliability, Sums};

use crate::TrainingError;

/// Width and height of the diagrams, in pixels.
const SIZE: (u32, u32) = (900, 460);
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 90, 160),
    RGBColor(200, 90, 0),
    RGBColor(0, 130, 60),
    RGBColor(150, 30, 120),
    RGBColor(90, 90, 90),
    RGBColor(170, 140, 0),
];

type Drawn = Result<(), Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn svg(draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String, TrainingError> {
    let mut svg = String::new();
    let drawn = || -> Drawn {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        draw(&area)?;
        area.present()?;
        Ok(())
    };
    drawn().map_err(|error| TrainingError::Plot { message: error.to_string() })?;
    Ok(svg)
}

fn colour(index: usize) -> RGBColor {
    COLOURS.get(index % COLOURS.len()).copied().unwrap_or(BLACK)
}

/// A reliability diagram, as the text of an SVG: on the left of all pixels, on the right of those around lesions; a
/// curve for each name. A calibrated network lies on the diagonal.
///
/// # Errors
/// [`TrainingError::Plot`] when the drawing library refuses.
pub fn reliability(curves: &[(&str, &Sums)]) -> Result<String, TrainingError> {
    type Pick = fn(&Sums) -> &Reliability;
    let panels: [(&str, Pick); 2] = [("all pixels", Sums::image), ("around lesions", Sums::boxed)];
    svg(|area| {
        let halves = area.split_evenly((1, 2));
        for (half, (title, pick)) in halves.iter().zip(panels) {
            let mut chart = ChartBuilder::on(half)
                .caption(title, ("sans-serif", 16))
                .margin(12)
                .x_label_area_size(36)
                .y_label_area_size(44)
                .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
            chart
                .configure_mesh()
                .light_line_style(WHITE)
                .x_desc("stated probability, mean of a bin")
                .y_desc("share that is lesion")
                .draw()?;
            chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], BLACK.mix(0.4)))?;
            for (index, (name, sums)) in curves.iter().enumerate() {
                let colour = colour(index);
                let pixels = pick(sums);
                let points: Vec<(f64, f64)> = pixels.bins().iter().filter_map(|bin| bin.point()).collect();
                let label = match pixels.error() {
                    Some(error) => format!("{name}: error {error:.4}"),
                    None => format!("{name}: no pixels"),
                };
                chart
                    .draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?
                    .label(label)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
                chart.draw_series(points.into_iter().map(|point| Circle::new(point, 3, colour.filled())))?;
            }
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .background_style(WHITE.mix(0.8))
                .border_style(BLACK.mix(0.3))
                .draw()?;
        }
        Ok(())
    })
}

/// Every picture's Dice by its lesion's share of the picture (logarithmic), as the text of an SVG; a colour for each
/// name. Pictures without a lesion are left out.
///
/// # Errors
/// [`TrainingError::Plot`] when the drawing library refuses.
pub fn scatter(columns: &[(&str, &[Sums])]) -> Result<String, TrainingError> {
    let point = |sums: &Sums| Some((sums.lesion_share().filter(|share| *share > 0.0)?, sums.per_image()?.0));
    let shares = columns.iter().flat_map(|(_, all)| all.iter().filter_map(point)).map(|(share, _)| share);
    let (low, high) = shares.fold((0.1_f64, 0.1_f64), |(low, high), share| (low.min(share), high.max(share)));
    svg(|area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(36)
            .y_label_area_size(44)
            .build_cartesian_2d((low * 0.8..high * 1.25).log_scale(), 0.0..1.0)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .x_desc("lesion's share of the picture")
            .y_desc("Dice")
            .draw()?;
        for (index, (name, pictures)) in columns.iter().enumerate() {
            let colour = colour(index);
            let points = pictures.iter().filter_map(point);
            chart
                .draw_series(points.map(|point| Circle::new(point, 3, colour.mix(0.6).filled())))?
                .label(*name)
                .legend(move |(x, y)| Circle::new((x + 9, y), 3, colour.filled()));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerRight)
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use polyp::frame::Size;
    use polyp::metric::Score;

    use super::*;

    fn pictures() -> Vec<Sums> {
        let mut score = Score::new();
        let truth: Vec<bool> = (0..100).map(|i| i < 20).collect();
        let probability: Vec<f32> = (0..100_u8).map(|i| f32::from(i) / 99.0).collect();
        score.add(&probability, &truth, Size::new(10, 10)).unwrap();
        score.add(&[0.0; 100], &[false; 100], Size::new(10, 10)).unwrap();
        score.pictures().to_vec()
    }

    #[test]
    fn every_bin_and_every_picture_with_a_lesion_is_a_point() {
        let pictures = pictures();
        let svg = reliability(&[("before", &pictures[0])]).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        // 15 bins of all pixels, and those that the two rows of the box hold, grown by one row: 30 pixels.
        assert_eq!(svg.matches("<circle").count(), 15 + 5, "{svg}");
        assert!(svg.contains("before: error 0."), "{svg}");
        let svg = scatter(&[("one", &pictures)]).unwrap();
        assert_eq!(svg.matches("<circle").count(), 1 + 1, "a point and the legend's");
        assert!(reliability(&[("empty", &pictures[1])]).unwrap().contains("empty: no pixels"));
    }
}
