//! The trade-off as a picture: how old annotations are against how often they are new.

use plotters::prelude::*;

use super::candidate::{Measured, Need};
use crate::cli::failure::Failure;
use crate::cli::stopwatch::milliseconds;
use polyp::config::Mode;

/// Pixels.
const SIZE: (u32, u32) = (960, 620);
const LIVE: RGBColor = RGBColor(0, 90, 160);
const LOCKED: RGBColor = RGBColor(200, 90, 0);

/// The picture as SVG: a filled dot keeps the budget, an empty one does not.
pub(super) fn draw(title: &str, found: &[Measured], need: &Need) -> Result<String, Failure> {
    let mut svg = String::new();
    draw_to(&mut svg, title, found, need)
        .map_err(|cause| Failure::Stream(format!("the picture can not be drawn: {cause}")))?;
    Ok(svg)
}

fn draw_to(
    svg: &mut String,
    title: &str,
    found: &[Measured],
    need: &Need,
) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let shown = || found.iter().filter_map(|one| Some((one, milliseconds(one.annotation_p99?))));
    let longest = shown().map(|(_, age)| age).fold(milliseconds(need.age), f64::max);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..longest * 1.6, 0.0..need.fps * 1.15)?;
    chart
        .configure_mesh()
        .x_desc("annotation later than the picture was, ms at p99")
        .y_desc("masks a second")
        .draw()?;
    let limit = milliseconds(need.age);
    chart.draw_series([PathElement::new([(limit, 0.0), (limit, need.fps * 1.15)], BLACK.stroke_width(1))])?;
    for (one, age) in shown() {
        let colour = if one.candidate.mode == Mode::Locked { LOCKED } else { LIVE };
        let style = if one.broken(need).is_none() { colour.filled() } else { colour.stroke_width(2) };
        let at = (age, one.masks_per_second);
        chart.draw_series([Circle::new(at, 6, style)])?;
        let dice = one
            .candidate
            .card
            .dice
            .as_ref()
            .map_or_else(String::new, |(dice, set)| format!(", Dice {dice:.3} ({set})"));
        let text = format!("{}{dice}; picture {:.1} ms", one.candidate, milliseconds(one.picture_p99));
        chart.draw_series([EmptyElement::at(at) + Text::new(text, (10, -6), ("sans-serif", 13))])?;
    }
    area.present()?;
    Ok(())
}
