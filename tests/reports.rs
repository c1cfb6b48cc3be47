//! Pages that the tool writes: the report of a session, and the evidence of the bench tests.

use std::path::Path;
use std::process::Command;

use polyp_tests::{polyp, root, said, skipped};

/// What comes after each `begin`, up to `end`.
fn all_between<'a>(text: &'a str, begin: &str, end: char) -> Vec<&'a str> {
    text.split(begin).skip(1).map(|rest| rest.split(end).next().unwrap()).collect()
}

/// A page needs nothing else, and its sections are named.
fn stands_alone(text: &str) {
    for place in ["src=\"", "href=\""] {
        let places = all_between(text, place, '"');
        assert!(places.iter().all(|to| to.starts_with("data:") || to.starts_with('#')), "{place}");
    }
    for outside in ["http:", "https:", "<script", "@import", "url("] {
        assert!(!text.contains(outside), "{outside}");
    }
    // What sections are named by is there, once.
    for name in all_between(text, "aria-labelledby=\"", '"').iter().flat_map(|names| names.split(' ')) {
        assert_eq!(text.matches(&format!("id=\"{name}\"")).count(), 1, "{name}");
    }
    assert!(text.contains("lang=\"en\""));
}

/// The command line of short bench tests, with so many frames in each format.
fn evidence<'a>(out: &'a Path, frames: &'a str) -> Vec<&'a str> {
    let mut line = vec!["evidence", "--size", "320x240", "--time", "2s", "--frames", frames];
    line.extend(["--out", out.to_str().unwrap()]);
    line
}

#[test]
fn the_evidence_compares_every_format_and_keeps_its_raw_figures() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("evidence");
    let mut line = evidence(&out, "2");
    // In place of a display and a capture card: what is shown in this program comes back in it.
    line.extend(["--display", "intervideosink channel=polyp-loop"]);
    line.extend(["--loopback", "intervideosrc channel=polyp-loop ! video/x-raw,width=320,height=240"]);
    let printed = said(&line);
    assert!(printed.contains("samples changed, in 48 frames"), "{printed}");
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let evidence: serde_json::Value = serde_json::from_str(&read("evidence.json")).unwrap();
    let fidelity = &evidence["fidelity"];
    assert_eq!((&fidelity["changed_outside"], &fidelity["not_compared"]), (&0.into(), &0.into()));
    let each = fidelity["each"].as_array().unwrap();
    assert_eq!(each.len(), 8 * 3);
    for each in each {
        let number = |name: &str| each[name].as_u64().unwrap();
        assert!(
            number("with_mask") > 0 && number("outside") > 100_000 && number("changed_inside") > 0,
            "{each}"
        );
    }
    assert_eq!(evidence["picture_delay"]["count"], 60);
    // Which engine it was, to the byte.
    let hash = evidence["engine"]["manifest_sha256"].as_str().unwrap();
    assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    assert_eq!(evidence["engine"]["side_px"], "256");
    // Of the rarest nothing is said of sixty frames.
    assert!(
        evidence["picture_delay"]["ms"]["p99"].is_null() && evidence["picture_delay"]["ms"]["p50"].is_f64()
    );
    let raw = read("frames.csv");
    assert_eq!(raw.lines().count(), 61);
    let annotated = raw.lines().skip(1).filter(|line| !line.ends_with(',')).count();
    assert_eq!(evidence["annotation_delay"]["count"], annotated);
    let page = read("evidence.html");
    stands_alone(&page);
    assert!(
        page.contains("0 of ") && page.contains("not told: too few frames") && page.contains("An endoscope:")
    );
    // The pattern came back, and with it goes what could not be shown without.
    let looped = &evidence["loopback"];
    let changes = looped["added"]["count"].as_u64().unwrap();
    assert!(changes > 0 && looped["outside"]["count"] == changes, "{looped}");
    assert!(
        looped["added"]["limit_ms"] == 5.75 && looped["capture"].as_str().unwrap().contains("intervideosrc")
    );
    assert_eq!(read("loopback.csv").lines().count() as u64, changes + 1);
    assert!(page.contains("Delay of a real chain") && !page.contains("A display:"));
    photographed(&out.join("evidence.html"));
}

#[test]
fn a_loop_that_brings_nothing_back_is_no_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("evidence");
    let mut line = evidence(&out, "1");
    line.extend(["--display", "fakesink", "--loopback", "videotestsrc is-live=true pattern=black"]);
    let refused = |line: &[&str]| {
        let output = polyp(line);
        assert!(!output.status.success(), "{line:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let error = refused(&line);
    assert!(error.contains("expected the pattern of --display to come back, found none of its"), "{error}");
    line.truncate(line.len() - 2);
    assert!(refused(&line).contains("--loopback"));
}

#[test]
fn the_report_is_one_page_that_needs_nothing_else() {
    let session = root().join("tests/fixtures/session-v1");
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    said(&["report", session.to_str().unwrap(), "--out", page.to_str().unwrap(), "--budget", "1us"]);
    let text = std::fs::read_to_string(&page).unwrap();
    stands_alone(&text);
    let pictures = all_between(&text, "<img ", '>');
    assert!(!pictures.is_empty());
    assert!(pictures.iter().all(|picture| picture.contains(" alt=\"Frame ")));
    for expected in [
        "<tr><th scope=\"row\">frames</th><td>36</td></tr>",
        "<td>24 (66.7 %)</td>",
        "Budget of the segmenter: 0.0 ms. 36 (100.0 %) of its 36 frames took longer.",
        "<th scope=\"row\">prompt</th><td>polyp</td>",
    ] {
        assert!(text.contains(expected), "{expected}");
    }
    photographed(&page);
}

/// Has a browser without a window open the page at a phone's and a desk's width: it draws the page, and nothing of it is cut off.
fn photographed(page: &Path) {
    let Ok(version) = Command::new("chromium").arg("--version").output() else {
        return skipped("the report in a browser", "chromium is not installed");
    };
    assert!(version.status.success());
    for width in [390, 1200] {
        let picture = page.with_extension(format!("{width}.png"));
        let output = Command::new("timeout")
            .args(["120", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"])
            .arg(format!("--window-size={width},900"))
            .arg(format!("--screenshot={}", picture.display()))
            .arg(format!("file://{}", page.display()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let picture = image::open(&picture).unwrap().into_luma8();
        assert_eq!(picture.dimensions(), (width, 900));
        let ink = picture.pixels().filter(|pixel| pixel.0[0] < 96).count();
        assert!(ink > 2000, "{width}: {ink} dark pixels");
        // No line runs into the right edge: the page fits its width.
        let edge = (0..900).filter(|y| picture.get_pixel(width - 2, *y).0[0] < 96).count();
        assert!(edge < 9, "{width}: {edge} dark pixels at the right edge");
    }
}
