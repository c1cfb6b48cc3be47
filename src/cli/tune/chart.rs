//! The trade-off as a picture: how old annotations are against how often they are new.

use plotters::prelude::*;

use super::candidate::{Measured, Need};
use crate::cli::failure::Failure;
use crate::cli::stopwatch::milliseconds;
use polyp::config::Mode;

/// The diagram in pixels, and below it a line for each candidate.
const SIZE: (u32, u32) = (960, 560);
const LINE_PX: u32 = 20;
const LIVE: RGBColor = RGBColor(0, 90, 160);
const LOCKED: RGBColor = RGBColor(200, 90, 0);

/// The picture as SVG: a filled dot keeps the budget, an empty one does not; its number is that of the line below.
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
    let below = LINE_PX * (found.len() as u32 + 1);
    let whole = SVGBackend::with_string(svg, (SIZE.0, SIZE.1 + below)).into_drawing_area();
    whole.fill(&WHITE)?;
    let (area, legend) = whole.split_vertically(SIZE.1);
    let ages: Vec<Option<f64>> = found.iter().map(|one| one.annotation_p99.map(milliseconds)).collect();
    let longest = ages.iter().flatten().copied().fold(milliseconds(need.age), f64::max);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(0.0..longest * 1.15, 0.0..need.fps * 1.15)?;
    chart
        .configure_mesh()
        .x_desc("annotation later than the picture was, ms at p99")
        .y_desc("masks a second")
        .draw()?;
    let limit = milliseconds(need.age);
    chart.draw_series([PathElement::new([(limit, 0.0), (limit, need.fps * 1.15)], BLACK.stroke_width(1))])?;
    let mut numbers = Vec::new();
    for (at, (one, age)) in found.iter().zip(ages).enumerate() {
        let verdict = one.broken(need);
        let dice = one.candidate.card.dice.as_ref();
        let dice = dice.map_or_else(|| "not known".to_owned(), |(dice, set)| format!("{dice:.3} on {set}"));
        let (number, picture) = (at + 1, milliseconds(one.picture_p99));
        let kept = verdict.as_deref().unwrap_or("kept");
        let line =
            format!("{number}  {}: Dice {dice}; picture {picture:.1} ms at p99; {kept}", one.candidate);
        legend.draw(&Text::new(line, (60, (LINE_PX * at as u32) as i32), ("sans-serif", 14)))?;
        let Some(age) = age else { continue };
        let colour = if one.candidate.mode == Mode::Locked { LOCKED } else { LIVE };
        let style = if verdict.is_none() { colour.filled() } else { colour.stroke_width(2) };
        let place = (age, one.masks_per_second);
        chart.draw_series([Circle::new(place, 6, style)])?;
        numbers.push((number, place));
    }
    // On top of all dots; of dots that lie on each other above, beside and below.
    for (number, place) in numbers {
        let beside = [(-4, 10), (-4, -22), (10, -6)].get(number % 3).copied().unwrap_or_default();
        let number = Text::new(number.to_string(), beside, ("sans-serif", 14));
        chart.draw_series([EmptyElement::at(place) + number])?;
    }
    whole.present()?;
    Ok(())
}
