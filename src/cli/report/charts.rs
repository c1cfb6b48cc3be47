//! The timeline of a report, as SVG.

use std::fmt::Write;

use super::history::{History, Moment};

/// The drawing's width, in its own units; the page scales it.
const WIDTH: f32 = 1000.0;
/// Where the lanes begin: names stand before them.
const LEFT: f32 = 110.0;
/// As many steps as the eye tells apart; fewer where there are fewer frames.
const MOST_STEPS: usize = 800;

/// What a badge looks like: its class in the page's style, and its words.
pub(super) fn badge_words(badge: &str) -> (&'static str, &'static str) {
    match badge {
        "live" => ("live", "LIVE: the mask is of this very frame"),
        "held" => ("held", "HELD: the mask is of an earlier frame, moved along"),
        "starting" => ("quiet", "STARTING: the engine was being made ready"),
        "no-mask" => ("quiet", "NO MASK: there was no answer yet, or none that could be moved along"),
        "frozen" => ("late", "FROZEN: the source repeated its picture"),
        "late" => ("late", "LATE: the network did not answer in time"),
        "fault" => ("fault", "FAULT: the network failed"),
        "off" => ("quiet", "OFF: switched off"),
        "none" => ("quiet", "no segmenter stood before the recorder"),
        _ => ("unknown", "not known: a repair found the picture alone"),
    }
}

/// What comes together in one step of the timeline.
#[derive(Clone, Copy, Default)]
struct Step {
    frames: u32,
    recorded: u32,
    alarm: bool,
    /// The badge that asks most for attention.
    badge: Option<u8>,
    area: Option<f32>,
    doubt: Option<f32>,
}

/// How much attention badges ask for, the least first.
const ATTENTION: [&str; 6] = ["live", "held", "quiet", "unknown", "late", "fault"];

fn steps(history: &History) -> Vec<Step> {
    let length = history.length_s().max(f32::MIN_POSITIVE);
    let count = history.moments.len().clamp(1, MOST_STEPS);
    let mut steps = vec![Step::default(); count];
    let rank = |badge: u8| {
        let name = history.badges.get(usize::from(badge)).map(String::as_str).unwrap_or_default();
        ATTENTION.iter().position(|class| *class == badge_words(name).0)
    };
    for moment in &history.moments {
        let Moment { time_s, badge, recorded, alarm, area, doubt } = *moment;
        let place = ((time_s / length * count as f32) as usize).min(count - 1);
        let Some(step) = steps.get_mut(place) else { continue };
        step.frames += 1;
        step.recorded += u32::from(recorded);
        step.alarm |= alarm;
        if step.badge.is_none_or(|known| rank(badge) > rank(known)) {
            step.badge = Some(badge);
        }
        let larger = |known: Option<f32>, new: Option<f32>| match (known, new) {
            (Some(known), Some(new)) => Some(known.max(new)),
            (known, new) => known.or(new),
        };
        (step.area, step.doubt) = (larger(step.area, area), larger(step.doubt, doubt));
    }
    steps
}

/// The timeline: badges, how much the mask covers, doubt, alarms, marks and frames that were not recorded.
pub(super) fn timeline(history: &History) -> String {
    let steps = steps(history);
    let x = |step: usize| LEFT + step as f32 / steps.len() as f32 * (WIDTH - LEFT);
    let wide = (WIDTH - LEFT) / steps.len() as f32 + 0.3;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} 262\" role=\"img\" aria-labelledby=\"timeline-title timeline-words\">\
         <title id=\"timeline-title\">Timeline</title><desc id=\"timeline-words\">{}</desc>",
        words(history)
    );
    let mut lane = |name: &str, top: f32, height: f32| {
        let middle = top + height / 2.0 + 4.0;
        let _infallible = write!(
            svg,
            "<text x=\"0\" y=\"{middle}\">{name}</text><rect class=\"lane\" x=\"{LEFT}\" y=\"{top}\" width=\"{}\" height=\"{height}\"/>",
            WIDTH - LEFT
        );
    };
    let (badges, area, doubt, alarm, dropped) =
        ((8.0, 24.0), (40.0, 60.0), (108.0, 60.0), (176.0, 18.0), (202.0, 18.0));
    for (name, (top, height)) in [
        ("overlay", badges),
        ("mask covers", area),
        ("doubt", doubt),
        ("alarm", alarm),
        ("not recorded", dropped),
    ] {
        lane(name, top, height);
    }
    let largest = steps.iter().filter_map(|step| step.area).fold(0.01, f32::max);
    for (place, step) in steps.iter().enumerate() {
        let x = x(place);
        let mut bar = |class: &str, (top, height): (f32, f32), share: f32| {
            let tall = height * share.clamp(0.0, 1.0);
            let _infallible = write!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{wide:.2}\" height=\"{tall:.1}\"/>",
                top + height - tall
            );
        };
        if let Some(name) = step.badge.and_then(|badge| history.badges.get(usize::from(badge))) {
            bar(badge_words(name).0, badges, 1.0);
        }
        step.area.into_iter().filter(|area| *area > 0.0).for_each(|share| bar("area", area, share / largest));
        step.doubt.into_iter().filter(|doubt| *doubt > 0.0).for_each(|share| bar("doubt", doubt, share));
        if step.alarm {
            bar("fault", alarm, 1.0);
        }
        if step.frames > step.recorded {
            bar("late", dropped, 1.0);
        }
    }
    let length = history.length_s();
    for (number, mark) in history.marks.iter().enumerate() {
        let x = LEFT + mark.time_s / length.max(f32::MIN_POSITIVE) * (WIDTH - LEFT);
        let _infallible = write!(
            svg,
            "<line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"4\" y2=\"224\"/><text class=\"number\" x=\"{x:.1}\" y=\"236\">{}</text>",
            number + 1
        );
    }
    for quarter in 0..=4_u8 {
        let share = f32::from(quarter) / 4.0;
        let (x, anchor) = (
            LEFT + share * (WIDTH - LEFT),
            ["start", "middle", "middle", "middle", "end"][usize::from(quarter)],
        );
        let _infallible = write!(
            svg,
            "<text class=\"time\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"256\">{}</text>",
            clock(length * share)
        );
    }
    svg + "</svg>"
}

/// The timeline in words.
fn words(history: &History) -> String {
    let counts = history.by_badge();
    let badges: Vec<String> = counts.iter().map(|(name, count)| format!("{count} frames {name}")).collect();
    let alarms = history.moments.windows(2).filter(|two| !two[0].alarm && two[1].alarm).count();
    format!(
        "{} long. {}. The alarm was raised {alarms} times; {} moments were marked.",
        clock(history.length_s()),
        badges.join(", "),
        history.marks.len()
    )
}

/// A time as minutes and seconds.
pub(super) fn clock(seconds: f32) -> String {
    format!("{}:{:04.1}", (seconds / 60.0) as u32, seconds % 60.0)
}
