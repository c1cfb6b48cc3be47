//! How many false alarms each rule of the alarm leaves, and how long it takes to say that a polyp is there.
//!
//! `cargo run --release -p polyp-engine --example alarm -- ENGINE FOLDER [FRAMES]`
//!
//! FOLDER has `pictures.csv`: stills with a polyp, as `polyp demo` takes them. Each is animated for FRAMES frames, 50 unless said otherwise,
//! at 640 x 360 and 25 frames a second, twice: whole, where an alarm is right from the first frame on; and its largest part without a
//! polyp, where every alarm is false. Every frame is asked about and answered.
//!
//! It can not show what video would: these frames are of one view each, so that what the network takes for a polyp tends to stay, while
//! in video it comes and goes with the view.
//!
//! Printed for each area and rule: clips without a polyp that raise an alarm, and alarms there; clips with a polyp that raise none, and
//! the median and the 95th percentile of the frames until it is raised (the frame that raises it counts).
#![expect(clippy::print_stdout, reason = "a tool says what it found")]

#[allow(dead_code, reason = "no study needs all of it")]
mod moving;

use std::path::Path;

use polyp::alarm::{Gate, Rule, Settings};
use polyp::clip::Picture;
use polyp::frame::{Rect, Size};
use polyp::roi::{Roi, RoiFinder};

use moving::{FRAMES, Failure, Network, SIZE, animated};

const AREAS: [f32; 5] = [0.0, 0.0025, 0.005, 0.01, 0.02];
/// Each answer for itself; several in a row; and most of somewhat more.
const RULES: [&str; 9] = ["1/1/0", "2/2/1", "3/3/2", "4/4/3", "6/6/5", "3/4/1", "4/6/2", "6/8/2", "12/16/4"];
/// The least side of a part without a polyp, in pixels of the still: smaller ones are left out.
const LEAST_PX: usize = 96;

/// What one rule came to.
#[derive(Clone, Default)]
struct Tally {
    /// Clips without a polyp.
    clear: usize,
    /// Those of them that raise an alarm.
    false_clips: usize,
    false_alarms: usize,
    /// Clips with a polyp.
    polyps: usize,
    /// Frames until the alarm, of those that raise one.
    delays: Vec<u64>,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(engine), Some(folder)) = (arguments.first(), arguments.get(1)) else {
        return Err("usage: alarm ENGINE FOLDER [FRAMES]".into());
    };
    let mut network = Network::open(Path::new(engine))?;
    let frames = arguments.get(2).map_or(Ok(FRAMES), |count| count.parse())?;
    let settings: Vec<Settings> = AREAS
        .into_iter()
        .flat_map(|area| RULES.map(|rule| rule.parse().map(|rule: Rule| Settings { rule, area })))
        .collect::<Result<_, _>>()?;
    let mut tallies = vec![Tally::default(); settings.len()];
    for picture in Picture::read_folder(Path::new(folder))? {
        if let Some(clear) = largest_clear(&picture.mask, picture.size) {
            for (tally, alarms) in
                tallies.iter_mut().zip(play(&mut network, cut(&picture, clear), frames, &settings)?)
            {
                tally.clear += 1;
                tally.false_clips += usize::from(!alarms.is_empty());
                tally.false_alarms += alarms.len();
            }
        }
        for (tally, alarms) in tallies.iter_mut().zip(play(&mut network, picture, frames, &settings)?) {
            tally.polyps += 1;
            tally.delays.extend(alarms.first());
        }
    }
    print(&settings, tallies, frames);
    Ok(())
}

/// For each setting, the frames (from 1) at which its alarm is raised.
fn play(
    network: &mut Network,
    picture: Picture,
    frames: u64,
    settings: &[Settings],
) -> Result<Vec<Vec<u64>>, Failure> {
    let mut finder = RoiFinder::new(Roi::Auto);
    let mut gates: Vec<Gate> = settings.iter().copied().map(Gate::new).collect();
    let mut alarms = vec![Vec::new(); gates.len()];
    for (index, frame) in (0..).zip(animated(picture, frames)?) {
        let frame = frame?;
        let answer = network.mask(&frame.view()?, &mut finder, index)?;
        for (gate, alarms) in gates.iter_mut().zip(&mut alarms) {
            let was = gate.is_raised();
            if gate.see(&answer) && !was {
                alarms.push(index + 1);
            }
        }
    }
    Ok(alarms)
}

/// The largest part of a mask of `size` in which there is no polyp; none when it is less than [`LEAST_PX`] wide or high.
fn largest_clear(mask: &[u8], size: Size) -> Option<Rect> {
    let width = size.width as usize;
    let mut heights = vec![0_usize; width];
    let mut best = (0, Rect::whole(size));
    for (y, row) in mask.chunks(width).enumerate() {
        for (height, cell) in heights.iter_mut().zip(row) {
            *height = if *cell == 0 { *height + 1 } else { 0 };
        }
        // The widest part of each height that ends in this row.
        for left in 0..width {
            let mut height = heights[left];
            for (right, column) in heights.iter().enumerate().skip(left) {
                height = height.min(*column);
                let wide = right + 1 - left;
                if height < LEAST_PX {
                    break;
                }
                if wide >= LEAST_PX && wide * height > best.0 {
                    let at = |pixels: usize| u32::try_from(pixels).unwrap_or(u32::MAX);
                    best = (
                        wide * height,
                        Rect { x: at(left), y: at(y + 1 - height), width: at(wide), height: at(height) },
                    );
                }
            }
        }
    }
    (best.0 > 0).then_some(best.1)
}

/// That part of a picture, shown as wide and high as it is in the whole. It has no polyp; its mask is empty.
fn cut(picture: &Picture, part: Rect) -> Picture {
    let Picture { name, note, native, size, rgb, .. } = picture;
    let (x, width) = (part.x as usize, part.width as usize);
    let rows = rgb.chunks(3 * size.width as usize).skip(part.y as usize).take(part.height as usize);
    let rgb: Vec<u8> = rows.flat_map(|row| &row[3 * x..3 * (x + width)]).copied().collect();
    let scaled = |native: u32, part: u32, whole: u32| (native * part / whole).max(16);
    Picture {
        name: name.clone(),
        note: note.clone(),
        native: Size::new(
            scaled(native.width, part.width, size.width),
            scaled(native.height, part.height, size.height),
        ),
        size: Size::new(part.width, part.height),
        mask: vec![0; rgb.len() / 3],
        rgb,
    }
}

fn print(settings: &[Settings], tallies: Vec<Tally>, frames: u64) {
    println!("animated at {SIZE}, {frames} frames each");
    println!(
        "   area     rule   clear   with a false alarm  false alarms   polyps   missed   frames until it: median   95 %"
    );
    for (setting, mut tally) in settings.iter().zip(tallies) {
        tally.delays.sort_unstable();
        let at = |share: f64| {
            let place = (share * (tally.delays.len().max(1) - 1) as f64).round() as usize;
            tally.delays.get(place).map_or_else(|| "-".to_owned(), u64::to_string)
        };
        println!(
            "{:>7.4}{:>9}{:>8}{:>21}{:>14}{:>9}{:>9}{:>26}{:>7}",
            setting.area,
            setting.rule.to_string(),
            tally.clear,
            tally.false_clips,
            tally.false_alarms,
            tally.polyps,
            tally.polyps - tally.delays.len(),
            at(0.5),
            at(0.95)
        );
    }
}
