//! Sessions, through the tool: recorded from real pictures, broken off, repaired, checked, replayed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use polyp::session::{Agreement, FrameRecord, Player, Record, agreement};
use polyp_engine::folder::EngineFolder;
use polyp_tests::{plugin_folder, root, skipped, tool};
use rustix::process::{Pid, Signal, kill_process};

fn polyp(arguments: &[&str]) -> Output {
    Command::new(tool("polyp"))
        .args(arguments)
        .current_dir(root())
        .env("GST_PLUGIN_PATH", plugin_folder())
        .output()
        .unwrap()
}

/// What the tool prints when it does its work.
fn said(arguments: &[&str]) -> String {
    let output = polyp(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The demonstration's stills, recorded into `folder` without an end.
struct Running {
    child: Child,
    folder: PathBuf,
}

impl Running {
    fn start(folder: &Path, codec: &str) -> Self {
        let config = folder.join("record.toml");
        let engine = root().join("engines/store/lite");
        let text = format!(
            "[source]\nkind = \"demo\"\nsize = \"320x240\"\nframerate = \"25\"\n\
             [segment]\nengine = {engine:?}\n\
             [record]\npath = \"sessions\"\ncodec = \"{codec}\"\nsegment_time = \"2s\"\nkeep_free_gb = 0\n\
             [sink]\nkind = \"none\"\n"
        );
        std::fs::write(&config, text).unwrap();
        let child = Command::new(tool("polyp"))
            .args(["run", config.to_str().unwrap()])
            .env("GST_PLUGIN_PATH", plugin_folder())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, folder: folder.join("sessions") }
    }

    /// The session, once its journal has lines of `frames` frames.
    fn session(&self, frames: usize) -> PathBuf {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is recorded");
            std::thread::sleep(Duration::from_millis(50));
            let Some(entry) = std::fs::read_dir(&self.folder).ok().and_then(|mut all| all.next()) else {
                continue;
            };
            let session = entry.unwrap().path();
            let journal = std::fs::read_to_string(session.join("journal.jsonl")).unwrap_or_default();
            if journal.matches("\"kind\":\"frame\"").count() >= frames {
                return session;
            }
        }
    }

    fn end(mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap();
    }
}

fn whole(session: &Path) -> Agreement {
    let found = agreement(session).unwrap();
    assert_eq!(found.wrong, Vec::<String>::new());
    found
}

fn records(session: &Path) -> Vec<Record> {
    Player::open(session).unwrap().map(|played| played.unwrap().record).collect()
}

fn frames(session: &Path) -> Vec<FrameRecord> {
    let frame = |record| match record {
        Record::Frame(frame) => Some(*frame),
        _ => None,
    };
    records(session).into_iter().filter_map(frame).collect()
}

/// Each mask's own frame, and the checksum of its cells.
fn masks(session: &Path) -> Vec<(u64, u32)> {
    let mask = |record| match record {
        Record::Mask(mask) => Some((mask.sequence, mask.cells_crc)),
        _ => None,
    };
    records(session).into_iter().filter_map(mask).collect()
}

#[test]
fn a_lossless_session_gives_the_same_masks_again() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path(), "ffv1");
    let session = running.session(100);
    running.end(Signal::INT);
    let found = whole(&session);
    assert!(found.segments >= 2 && found.recorded > 0 && found.masks > 0, "{found:?}");
    let session = session.to_str().unwrap();
    let checked = said(&["check", session]);
    assert!(checked.contains("the masks' cells are those that were recorded"), "{checked}");
    let replayed = said(&["replay", session, "--engine", "engines/store/lite", "--fast"]);
    let line = replayed.lines().find(|line| line.contains("the same to the bit")).expect(&replayed);
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [pairs, equal] = numbers.as_slice() else { panic!("{line}") };
    assert!(pairs == equal && *pairs > 20, "{line}");
    let provenance = records(Path::new(session));
    let engine = provenance.iter().find_map(|record| match record {
        Record::Engine(engine) => Some(engine),
        _ => None,
    });
    let store = EngineFolder::open(&root().join("engines/store/lite")).unwrap();
    let engine = engine.unwrap();
    assert_eq!(engine.manifest_sha256, store.manifest_sha256());
    assert_eq!((engine.prompt.as_str(), engine.backend.as_str()), ("polyp", "openvino"));
    let settings = provenance.iter().any(|record| match record {
        Record::Settings(settings) => settings.text.contains("threshold = 0.5"),
        _ => false,
    });
    assert!(settings, "the configuration is in the journal");
}

#[test]
fn an_h264_session_gives_the_same_masks_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path(), "h264");
    let session = running.session(60);
    running.end(Signal::INT);
    whole(&session);
    let again = |name: &str| {
        let out = folder.path().join(name);
        let arguments = ["--engine", "engines/store/lite", "--fast", "--record", out.to_str().unwrap()];
        said(&[&["replay", session.to_str().unwrap()][..], &arguments].concat());
        let made = std::fs::read_dir(&out).unwrap().next().unwrap().unwrap().path();
        whole(&made);
        masks(&made)
    };
    let (first, second) = (again("first"), again("second"));
    assert!(first.len() > 40, "{}", first.len());
    assert_eq!(first, second);
}

#[test]
fn alone_a_killed_recorder_loses_less_than_a_second() {
    for codec in ["h264", "ffv1", "h264"] {
        let folder = tempfile::tempdir().unwrap();
        let running = Running::start(folder.path(), codec);
        let session = running.session(75);
        let killed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        running.end(Signal::KILL);
        let place = session.to_str().unwrap();
        let checked = polyp(&["check", place]);
        let (code, errors) = (checked.status.code(), String::from_utf8_lossy(&checked.stderr).into_owned());
        assert_eq!(code, Some(1), "{errors}");
        let repaired = said(&["repair", place]);
        assert!(repaired.contains("mended"), "{repaired}");
        whole(&session);
        said(&["check", place]);
        let clock = Player::open(&session).unwrap().about().clock.clone();
        let last = frames(&session).iter().filter(|frame| frame.segment.is_some()).map(|f| f.pts_ns).max();
        let last = Duration::from_nanos(clock.unix_ns + last.unwrap() - clock.running_ns);
        let lost = killed.saturating_sub(last);
        assert!(lost < Duration::from_secs(1), "{codec}: {lost:?} are lost");
        assert!(said(&["repair", place]).contains("nothing to do"));
    }
}

#[test]
fn a_session_of_version_1_stays_readable() {
    let session = root().join("tests/fixtures/session-v1");
    // It is read where it lies, and nothing is written there.
    let found = whole(&session);
    assert_eq!((found.segments, found.frames, found.recorded, found.masks, found.marks), V1);
    let checked = said(&["check", session.to_str().unwrap()]);
    assert!(checked.contains("36 frames were decoded, 24 of them with the mask"), "{checked}");
    let folder = tempfile::tempdir().unwrap();
    let painted = folder.path().join("painted.mkv");
    let arguments = ["--out", painted.to_str().unwrap(), "--style", "outline", "--threshold", "0.3"];
    let replayed = said(&[&["replay", session.to_str().unwrap()][..], &arguments].concat());
    assert!(replayed.contains("is written"), "{replayed}");
    assert!(std::fs::metadata(&painted).unwrap().len() > 1000);
}

/// What is in the committed session: files, frames, of them recorded, masks, marks.
const V1: (usize, u64, u64, u64, u64) = (1, 36, 36, 24, 0);

#[test]
fn the_readmes_lines_about_sessions_run_as_printed() {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (_, section) = text.split_once("\n## Record a session\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let lines: Vec<&str> = section.lines().filter(|line| line.starts_with("target/release/polyp ")).collect();
    assert_eq!(lines.len(), 4, "{section}");
    let tools = tool("polyp");
    let folder = tempfile::tempdir().unwrap();
    let mut printed = String::new();
    for line in lines {
        let line = line.replace("target/release/polyp ", &format!("{} ", tools.display()));
        let line = line.replace("/tmp/polyp-recorded", folder.path().to_str().unwrap());
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &line]).current_dir(root());
        let output = bash.env("GST_PLUGIN_PATH", plugin_folder()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {errors}");
        printed += &String::from_utf8_lossy(&output.stdout);
    }
    assert!(printed.contains("the masks' cells are those that were recorded"), "{printed}");
    assert!(printed.contains("outline.mkv is written"), "{printed}");
    assert!(printed.contains("masks were recorded of these frames"), "{printed}");
}

#[test]
fn what_is_no_session_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    for verb in ["check", "repair"] {
        let output = polyp(&[verb, place]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{verb}: {errors}");
        assert!(errors.contains("session.json: a session's folder has it"), "{verb}: {errors}");
    }
    let output = polyp(&["replay", place, "--fast"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("session.json"), "{errors}");
}

/// The masks of an export into PNG, by name.
fn pngs(folder: &Path) -> std::collections::BTreeMap<String, image::GrayImage> {
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), image::open(&path).unwrap().into_luma8())
    };
    std::fs::read_dir(folder).unwrap().map(read).collect()
}

/// The pixels that COCO's runs say, row by row.
fn unrolled(runs: &[usize], (width, height): (usize, usize)) -> Vec<bool> {
    let columns: Vec<bool> = runs.iter().enumerate().flat_map(|(i, run)| vec![i % 2 == 1; *run]).collect();
    (0..width * height).map(|at| columns[at % width * height + at / width]).collect()
}

#[test]
fn every_exported_mask_is_the_recorded_one() {
    let session = root().join("tests/fixtures/session-v1");
    let folder = tempfile::tempdir().unwrap();
    let export = |format: &str, more: &[&str]| {
        let out = folder.path().join(format).join(more.len().to_string());
        let arguments = ["export", session.to_str().unwrap(), "--as", format, "--out", out.to_str().unwrap()];
        let printed = said(&[&arguments[..], more].concat());
        assert!(printed.contains("24 frames have a mask of their own"), "{printed}");
        out
    };
    let png = export("png", &["--drop-out-of-body"]);
    let cells = pngs(&png.join("cells"));
    let recorded = masks(&session);
    assert_eq!(cells.len(), recorded.len());
    for (sequence, crc) in recorded {
        let exported = crc32fast::hash(cells[&format!("{sequence:08}")].as_raw());
        assert_eq!(exported, crc, "frame {sequence}");
    }
    let white = pngs(&png.join("masks"));
    let coco = export("coco", &[]);
    let text = std::fs::read_to_string(coco.join("annotations.json")).unwrap();
    let coco: serde_json::Value = serde_json::from_str(&text).unwrap();
    let images = coco["images"].as_array().unwrap();
    assert_eq!(images.len(), 24);
    for image in images {
        let name = image["file_name"].as_str().unwrap().strip_prefix("images/").unwrap();
        let white = &white[name.strip_suffix(".png").unwrap()];
        let mut all = vec![false; white.len()];
        let of = |annotation: &&serde_json::Value| annotation["image_id"] == image["id"];
        for annotation in coco["annotations"].as_array().unwrap().iter().filter(of) {
            let runs: Vec<usize> =
                serde_json::from_value(annotation["segmentation"]["counts"].clone()).unwrap();
            let size = (white.width() as usize, white.height() as usize);
            all.iter_mut().zip(unrolled(&runs, size)).for_each(|(all, said)| *all |= said);
        }
        assert_eq!(white.as_raw().iter().map(|pixel| *pixel > 0).collect::<Vec<_>>(), all, "{name}");
    }
    assert!(white.values().any(|white| white.as_raw().contains(&255)));
    // What is to be covered is black, and an export never goes into a folder that holds something.
    let covered = export("png", &["--black", "20x10+100+50"]);
    let picture = image::open(covered.join("images/00000004.png")).unwrap().into_rgb8();
    let black = |x: u32, y: u32| picture.get_pixel(x, y).0 == [0; 3];
    assert!((100..120).all(|x| (50..60).all(|y| black(x, y))) && !black(99, 55));
    let again =
        polyp(&["export", session.to_str().unwrap(), "--as", "png", "--out", covered.to_str().unwrap()]);
    let errors = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.code() == Some(2) && errors.contains("expected an empty folder"), "{errors}");
}

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
