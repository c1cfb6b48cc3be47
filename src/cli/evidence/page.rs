//! The report for people: one page of HTML that needs nothing else, and a few lines for the terminal.

use std::time::Duration;

use serde_json::Value;

use super::super::html::{self, escaped, row};
use super::super::stopwatch::{Times, milliseconds};
use super::delay::Delays;
use super::loopback::Looped;

/// Bars of a distribution.
const BARS: usize = 40;

/// The page.
pub(super) fn write(evidence: &Value, delays: &Delays, looped: Option<&Looped>) -> String {
    let skip = "<a class=\"skip\" href=\"#fidelity\">To the figures</a>";
    let mut page = html::begin("Bench tests", skip);
    page += &section("conditions", "Under what conditions", &conditions(evidence));
    page += &section("fidelity", "The picture outside of the overlay", &fidelity(evidence));
    let limits = |what: &str| evidence[what]["limit_ms"].as_f64().unwrap_or_default();
    page += &section(
        "annotation",
        "Delay of the annotation",
        &(delay(
            &evidence["annotation_delay"],
            "From a frame's entry to the leaving of the frame that its mask is shown on. A mask is held for the next frames while the network works, and its age is \
             counted.",
        ) + &histogram(&delays.annotation, limits("annotation_delay"), "Delay of the annotation")),
    );
    page += &section(
        "picture",
        "Delay of the video",
        &(delay(&evidence["picture_delay"], "From a frame's entry into the element to its leaving it.")
            + &histogram(&delays.picture, limits("picture_delay"), "Delay of the video")),
    );
    if let Some(looped) = looped {
        page += &section("loopback", "Delay of a real chain", &loopback(&evidence["loopback"], looped));
    }
    let not_shown = evidence["not_shown"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let items: String = not_shown.map(|text| format!("<li>{}</li>", escaped(text))).collect();
    page += &section("not-shown", "What this can not show", &format!("<ul>{items}</ul>"));
    page + "</main></body></html>\n"
}

fn section(id: &str, title: &str, content: &str) -> String {
    format!("<section aria-labelledby=\"{id}\"><h2 id=\"{id}\">{title}</h2>{content}</section>\n")
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "not known".to_owned(),
        other => other.to_string(),
    }
}

fn conditions(evidence: &Value) -> String {
    let mut rows = row("made", &text(&evidence["made"]));
    for group in ["machine", "software", "engine", "stream"] {
        for (name, value) in evidence[group].as_object().into_iter().flatten() {
            rows += &row(&format!("{group}: {}", name.replace('_', " ")), &text(value));
        }
    }
    for (name, value) in evidence["frames"].as_object().into_iter().flatten() {
        match value.as_object() {
            Some(badges) => {
                for (badge, count) in badges {
                    rows += &row(&format!("frames with badge {badge}"), &text(count));
                }
            }
            None => rows += &row(&format!("frames: {}", name.replace('_', " ")), &text(value)),
        }
    }
    format!("<table><tbody>{rows}</tbody></table>")
}

fn fidelity(evidence: &Value) -> String {
    let fidelity = &evidence["fidelity"];
    let head = ["format", "style", "frames", "with a mask", "samples outside", "changed", "changed inside"]
        .map(|name| format!("<th scope=\"col\">{name}</th>"))
        .concat();
    let cells = ["format", "style", "frames", "with_mask", "outside", "changed_outside", "changed_inside"];
    let rows: String = fidelity["each"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|each| {
            let cells = cells.map(|name| format!("<td>{}</td>", escaped(&text(&each[name])))).concat();
            format!("<tr>{cells}</tr>")
        })
        .collect();
    format!(
        "<p><strong>{} of {} samples outside of the overlay are not as they came in</strong> (frames of {}, each sample of each plane, compared with a copy that was made before). The \
         overlay's place is told from the mask and not from how it is painted: the box around all that reaches the lowest level, a margin for the lines, and the badge's corner. {} frames \
         could not be compared.</p><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Formats and styles; scrolls sideways\"><table><caption>Each format with each style</caption>\
         <thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>",
        text(&fidelity["changed_outside"]),
        text(&fidelity["outside"]),
        escaped(&text(&fidelity["size"])),
        text(&fidelity["not_compared"]),
    )
}

/// What the loop of display and capture showed.
fn loopback(of: &Value, looped: &Looped) -> String {
    let [_, added] = looped.times();
    let how = format!(
        "<p>A pattern that blinks, shown by <code>{}</code> and brought back by <code>{}</code>. {} changes came back, {} did not before the next one.</p>",
        escaped(&text(&of["display"])),
        escaped(&text(&of["capture"])),
        looped.changes.len(),
        text(&of["missed"]),
    );
    let limit = of["added"]["limit_ms"].as_f64().unwrap_or_default();
    how + &delay(
        &of["outside"],
        "Outside of the device: from a change's being handed to the display to its frame's entry into the element.",
    ) + &delay(&of["added"], "What the device adds: from that frame's entry to its leaving.")
        + &histogram(&added, limit, "Delay that the device adds")
}

fn delay(of: &Value, how: &str) -> String {
    let mut rows = row("frames", &text(&of["count"]));
    for (name, value) in of["ms"].as_object().into_iter().flatten() {
        let told =
            value.as_f64().map_or_else(|| "not told: too few frames".to_owned(), |ms| format!("{ms:.2} ms"));
        rows += &row(name, &told);
    }
    if let Some(limit) = of["limit_ms"].as_f64() {
        rows += &row("limit", &format!("{limit:.2} ms"));
        rows += &row("frames over it", &text(&of["over"]));
    }
    format!("<p>{how}</p><table><tbody>{rows}</tbody></table>")
}

/// How many frames took how long; the last bar holds all that took longer.
fn histogram(times: &Times, limit_ms: f64, title: &str) -> String {
    let most = times.quantile(0.999).map(milliseconds).unwrap_or_default().max(limit_ms) * 1.1;
    if times.count() == 0 || most <= 0.0 {
        return String::new();
    }
    let mut bars = [0_usize; BARS];
    let place = |time: &Duration| ((milliseconds(*time) / most * BARS as f64) as usize).min(BARS - 1);
    times.all().iter().for_each(|time| bars[place(time)] += 1);
    let highest = bars.iter().copied().max().unwrap_or(1).max(1) as f64;
    let width = 960.0 / BARS as f64;
    let drawn: String = bars
        .iter()
        .enumerate()
        .filter(|(_, count)| **count > 0)
        .map(|(at, count)| {
            // Rare ones are what counts: a bar is never lower than the eye can see.
            let height = (*count as f64 / highest * 160.0).max(2.0);
            let (x, y) = (20.0 + at as f64 * width, 180.0 - height);
            format!(
                "<rect class=\"live\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
                width - 1.0
            )
        })
        .collect();
    let limit = 20.0 + limit_ms / most * 960.0;
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{title}; scrolls sideways\"><svg viewBox=\"0 0 1000 215\" role=\"img\" aria-label=\"{title}: how many frames took how long, \
         0 to {most:.0} milliseconds\">{drawn}<line class=\"mark\" x1=\"{limit:.1}\" x2=\"{limit:.1}\" y1=\"20\" y2=\"184\"/><text x=\"20\" y=\"202\">0 ms</text>\
         <text x=\"980\" y=\"202\" text-anchor=\"end\">{most:.0} ms and more</text><text class=\"number\" x=\"{limit:.1}\" y=\"14\">limit {limit_ms} ms</text></svg></div>"
    )
}

/// The lines for the terminal.
pub(super) fn summary(evidence: &Value) -> String {
    let fidelity = &evidence["fidelity"];
    let mut lines = format!(
        "outside of the overlay: {} of {} samples changed, in {} frames, {} of them with a mask\n",
        fidelity["changed_outside"], fidelity["outside"], fidelity["frames"], fidelity["with_mask"]
    );
    let mut delays = vec![
        (&evidence["annotation_delay"], "annotation delay"),
        (&evidence["picture_delay"], "video delay"),
    ];
    if evidence["loopback"].is_object() {
        delays.push((&evidence["loopback"]["added"], "delay added to a real chain"));
    }
    for (of, what) in delays {
        let told: Vec<String> = of["ms"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, ms)| Some(format!("{name} {:.2}", ms.as_f64()?)))
            .collect();
        lines += &format!(
            "{what} in ms: {}; {} of {} frames over {}\n",
            told.join(", "),
            of["over"],
            of["count"],
            of["limit_ms"]
        );
    }
    lines
}
