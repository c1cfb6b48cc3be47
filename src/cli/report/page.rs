//! The page itself.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::charts::{badge_words, clock, timeline};
use super::history::History;
use super::moments::{Picture, Pictures};
use crate::cli::html::{self, escaped, row};
use crate::cli::stopwatch::milliseconds;

fn share(count: usize, all: usize) -> String {
    format!("{count} ({:.1} %)", count as f64 * 100.0 / all.max(1) as f64)
}

/// The report.
pub(super) fn write(folder: &Path, history: &History, pictures: &Pictures, budget: Duration) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = escaped(&name);
    let skip = "<a class=\"skip\" href=\"#timeline\">To the timeline</a>";
    let mut page = html::begin(&format!("Session {name}"), skip);
    for section in [
        summary(history),
        timeline_section(history),
        marked(history, pictures),
        doubtful(pictures),
        latencies(history, budget),
        provenance(history),
    ] {
        page += &section;
        page.push('\n');
    }
    page + "</main></body></html>\n"
}

fn summary(history: &History) -> String {
    let frames = history.moments.len();
    let recorded = history.moments.iter().filter(|moment| moment.recorded).count();
    let masks = history.moments.iter().filter(|moment| moment.area.is_some()).count();
    let mut rows = row("began", &history.about.began) + &row("length", &clock(history.length_s()));
    rows += &row("frames", &frames.to_string());
    rows += &row("of them recorded", &share(recorded, frames));
    for (why, count) in &history.drops {
        rows += &row(&format!("not recorded: {why}"), &count.to_string());
    }
    if history.uncounted > 0 {
        rows += &row("passed, and nothing else is known of them", &history.uncounted.to_string());
    }
    rows += &row("with a mask of their own", &share(masks, frames));
    for (badge, count) in history.by_badge() {
        rows += &row(badge_words(badge).1, &share(count, frames));
    }
    rows += &row("marked moments", &history.marks.len().to_string());
    let end = history
        .end
        .as_ref()
        .map(|end| end.reason.as_str())
        .unwrap_or("it has no end: `polyp repair` makes it whole");
    rows += &row("it ended because", end);
    if history.repairs > 0 {
        rows += &row("repairs", "something was missing, and was repaired");
    }
    format!(
        "<section aria-labelledby=\"summary\"><h2 id=\"summary\">Summary</h2><table>{rows}</table></section>"
    )
}

fn timeline_section(history: &History) -> String {
    let mut legend = String::new();
    for (badge, _) in history.by_badge() {
        let (class, words) = badge_words(badge);
        let _infallible = write!(legend, "<li><span class=\"key {class}\"></span>{words}</li>");
    }
    format!(
        "<section aria-labelledby=\"timeline\"><h2 id=\"timeline\" tabindex=\"-1\">Timeline</h2>\
         <div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Timeline, scrolls sideways\">{}</div>\
         <ul class=\"legend\">{legend}</ul>\
         <p>“mask covers” is the part of what the network sees that its own masks cover, drawn to the largest of the session; “doubt” the part of \
         what may be polyp (25 % and more) of which that is open (less than 75 %). Where several frames fall together, the largest is drawn, \
         and the badge that asks most for attention.</p></section>",
        timeline(history)
    )
}

fn figure(picture: &Picture, caption: &str) -> String {
    let at = clock(picture.time_s as f32);
    let alt = match picture.doubt {
        Some(doubt) => {
            format!("Frame {} at {at} with the network's mask; doubt {doubt:.2}", picture.sequence)
        }
        None => format!("Frame {} at {at}; the network made no mask of it", picture.sequence),
    };
    format!(
        "<figure><img src=\"data:image/jpeg;base64,{}\" width=\"{}\" height=\"{}\" alt=\"{}\"><figcaption>{}</figcaption></figure>",
        STANDARD.encode(&picture.jpeg),
        picture.size.width,
        picture.size.height,
        escaped(&alt),
        escaped(caption)
    )
}

fn marked(history: &History, pictures: &Pictures) -> String {
    let mut figures = String::new();
    for (number, (mark, picture)) in history.marks.iter().zip(&pictures.marked).enumerate() {
        let text = if mark.text.is_empty() { "marked" } else { mark.text.as_str() };
        let caption = format!("{}. {} at {}", number + 1, text, clock(mark.time_s));
        figures += &match picture {
            Some(picture) => figure(picture, &caption),
            None => format!("<p>{}: the frame was not recorded</p>", escaped(&caption)),
        };
    }
    if figures.is_empty() {
        figures = "<p>Nobody marked a moment.</p>".to_owned();
    }
    format!(
        "<section aria-labelledby=\"marks\"><h2 id=\"marks\">Marked moments</h2><div class=\"figures\">{figures}</div></section>"
    )
}

fn doubtful(pictures: &Pictures) -> String {
    let mut figures = String::new();
    for picture in &pictures.doubtful {
        let caption =
            format!("at {}, doubt {:.2}", clock(picture.time_s as f32), picture.doubt.unwrap_or_default());
        figures += &figure(picture, &caption);
    }
    if figures.is_empty() {
        figures = "<p>No mask left anything open.</p>".to_owned();
    }
    format!(
        "<section aria-labelledby=\"doubtful\"><h2 id=\"doubtful\">Most doubtful moments</h2><div class=\"figures\">{figures}</div></section>"
    )
}

fn latencies(history: &History, budget: Duration) -> String {
    let mut rows = String::new();
    for (name, times) in history.stages.iter().filter(|(_, times)| times.count() > 0) {
        let cells = [0.5, 0.9, 0.99, 1.0].map(|share| {
            let time = times.quantile(share).map(milliseconds).unwrap_or_default();
            format!("<td>{time:.2}</td>")
        });
        let _infallible = write!(
            rows,
            "<tr><th scope=\"row\">{name}</th><td>{}</td>{}</tr>",
            times.count(),
            cells.concat()
        );
    }
    let total = history.stages.first().map(|(_, times)| times);
    let over = total.map_or(0, |times| times.over(budget));
    let all = total.map_or(0, |times| times.count());
    format!(
        "<section aria-labelledby=\"times\"><h2 id=\"times\">Latencies</h2><div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Latencies, \
         scrolls sideways\"><table><caption>Milliseconds</caption><thead><tr><th scope=\"col\">stage</th><th scope=\"col\">count</th>\
         <th scope=\"col\">median</th><th scope=\"col\">90 %</th><th scope=\"col\">99 %</th><th scope=\"col\">longest</th></tr></thead>\
         <tbody>{rows}</tbody></table></div><p>Budget of the segmenter: {:.1} ms. {} of its {all} frames took longer. \
         Painting comes after the recorder, and is not among these.</p></section>",
        milliseconds(budget),
        share(over, all)
    )
}

fn provenance(history: &History) -> String {
    let about = &history.about;
    let mut rows = row("picture", &format!("{}, {} files, {}", history.format, history.files, history.codec));
    for engine in &history.engines {
        let hash = if engine.manifest_sha256.is_empty() { "no folder" } else { &engine.manifest_sha256 };
        rows += &row("engine", &format!("{}, manifest sha256 {hash}", engine.name));
        rows += &row("prompt", &engine.prompt);
        rows += &row("temperature", &engine.temperature.to_string());
        let runs = format!(
            "{}, {}, {}, {} threads, {} px",
            engine.backend, engine.library, engine.precision, engine.threads, engine.side_px
        );
        rows += &row("runs on", &runs);
    }
    rows += &row(
        "clock",
        &format!(
            "{} {} ns = {} ns since 1970",
            about.clock.name, about.clock.running_ns, about.clock.unix_ns
        ),
    );
    let software = &about.software;
    rows += &row(
        "software",
        &format!(
            "polyp {}, {}, {}, {}",
            software.polyp, software.gstreamer, software.video_encoder, software.mask_encoder
        ),
    );
    let settings: String = history
        .settings
        .iter()
        .map(|settings| {
            let at = clock(settings.pts_ns.saturating_sub(about.clock.running_ns) as f32 / 1e9);
            format!(
                "<details><summary>Settings from {at} on</summary><pre>{}</pre></details>",
                escaped(&settings.text)
            )
        })
        .collect();
    format!(
        "<section aria-labelledby=\"origin\"><h2 id=\"origin\">Provenance</h2><table>{rows}</table>{settings}</section>"
    )
}
