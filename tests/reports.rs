//! The report of a session, as a page.

use std::path::Path;
use std::process::Command;

use polyp_tests::{root, said, skipped};

/// What comes after each `begin`, up to `end`.
fn all_between<'a>(text: &'a str, begin: &str, end: char) -> Vec<&'a str> {
    text.split(begin).skip(1).map(|rest| rest.split(end).next().unwrap()).collect()
}

#[test]
fn the_report_is_one_page_that_needs_nothing_else() {
    let session = root().join("tests/fixtures/session-v1");
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    said(&["report", session.to_str().unwrap(), "--out", page.to_str().unwrap(), "--budget", "1us"]);
    let text = std::fs::read_to_string(&page).unwrap();
    for place in ["src=\"", "href=\""] {
        let places = all_between(&text, place, '"');
        assert!(places.iter().all(|to| to.starts_with("data:") || to.starts_with('#')), "{place}");
    }
    for outside in ["http:", "https:", "<script", "@import", "url("] {
        assert!(!text.contains(outside), "{outside}");
    }
    let pictures = all_between(&text, "<img ", '>');
    assert!(!pictures.is_empty());
    assert!(pictures.iter().all(|picture| picture.contains(" alt=\"Frame ")));
    // What sections are named by is there, once.
    for name in all_between(&text, "aria-labelledby=\"", '"').iter().flat_map(|names| names.split(' ')) {
        assert_eq!(text.matches(&format!("id=\"{name}\"")).count(), 1, "{name}");
    }
    for expected in [
        "<tr><th scope=\"row\">frames</th><td>36</td></tr>",
        "<td>24 (66.7 %)</td>",
        "Budget of the segmenter: 0.0 ms. 36 (100.0 %) of its 36 frames took longer.",
        "<th scope=\"row\">prompt</th><td>polyp</td>",
        "lang=\"en\"",
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
