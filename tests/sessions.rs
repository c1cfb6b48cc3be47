//! Sessions, through the tool: recorded from real pictures, broken off, repaired, checked, replayed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use polyp::session::{Agreement, FrameRecord, Player, Record, agreement};
use polyp_engine::folder::EngineFolder;
use polyp_tests::{masks, plugin_folder, polyp, records, root, said, tool};
use rustix::process::{Pid, Signal, kill_process};

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

fn frames(session: &Path) -> Vec<FrameRecord> {
    let frame = |record| match record {
        Record::Frame(frame) => Some(*frame),
        _ => None,
    };
    records(session).into_iter().filter_map(frame).collect()
}

#[test]
fn a_lossless_session_gives_the_same_masks_again() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(folder.path(), "ffv1");
    let session = running.session(100);
    running.end(Signal::INT);
    let found = whole(&session);
    assert!(found.segments >= 2 && found.recorded > 0 && found.masks > 0, "{found:?}");
    let place = session.clone();
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
    // A DICOM video is H.264: what is not is coded anew only when that is asked for.
    let out = folder.path().join("dicom");
    let export = ["export", session, "--as", "dicom", "--out", out.to_str().unwrap()];
    let refused = polyp(&export);
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && errors.contains("000000.mkv is ffv1"), "{errors}");
    let encoded = said(&[&export[..], &["--encode"]].concat());
    let recorded: Vec<u64> =
        frames(&place).iter().filter(|frame| frame.segment.is_some()).map(|frame| frame.sequence).collect();
    let of_recorded = masks(&place).iter().filter(|(sequence, _)| recorded.contains(sequence)).count();
    let expected = format!("{} frames in 1 videos, {of_recorded} masks", found.recorded);
    assert!(encoded.contains(&expected), "{expected}: {encoded}");
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
    let lines: Vec<&str> = section.lines().filter(|line| line.starts_with("target/release/polyp")).collect();
    assert_eq!(lines.len(), 7, "{section}");
    let tools = tool("polyp").with_file_name("");
    let folder = tempfile::tempdir().unwrap();
    let mut printed = String::new();
    for line in lines {
        let line = line.replace("target/release/", tools.to_str().unwrap());
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
    assert!(
        printed.contains(" segmentations") && printed.contains("the masks are the network's own"),
        "{printed}"
    );
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
