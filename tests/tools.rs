//! The tool `polyp`, as somebody at a prompt meets it: what it plays, and how it refuses.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use polyp_tests::{output, plugin_folder, root, tool};

fn polyp(arguments: &[&str]) -> Command {
    let mut command = Command::new(tool("polyp"));
    command.args(arguments).current_dir(root()).env("GST_PLUGIN_PATH", plugin_folder());
    command
}

/// Runs it to its end: exit code, standard output, standard error.
fn ran(arguments: &[&str]) -> (i32, String, String) {
    ended(polyp(arguments).output().unwrap())
}

fn ended(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// The one line that a refusal with that exit code is.
fn refused(code: i32, arguments: &[&str]) -> String {
    let (found, _, errors) = ran(arguments);
    assert_eq!(found, code, "{arguments:?}: {errors}");
    let errors = errors.strip_prefix("polyp: ").unwrap_or_else(|| panic!("{errors}")).trim_end().to_owned();
    assert_eq!(errors.lines().count(), 1, "{errors}");
    errors
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

/// A configuration in a folder of its own.
fn config(folder: &Path, source: &str, sink: &str) -> String {
    let engine = root().join("engines/store/lite");
    let text = format!("[source]\n{source}\n[segment]\nengine = {engine:?}\n[sink]\n{sink}\n");
    let path = folder.join("cart.toml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn every_committed_configuration_passes_and_is_read_again_as_it_was_written() {
    let temp = tempfile::tempdir().unwrap();
    for name in ["cart.toml", "bench.toml"] {
        let (code, written, errors) = ran(&["check", &format!("configs/{name}")]);
        assert_eq!(code, 0, "{errors}");
        let again = temp.path().join(name);
        std::fs::write(&again, &written).unwrap();
        assert_eq!(ran(&["check", again.to_str().unwrap()]).1, written);
    }
    has(&ran(&["check", "--keys"]).1, &["| `segment.max_mask_age` | duration |", "`\"120ms\"`"]);
}

#[test]
fn a_configuration_that_is_wrong_is_refused_with_its_key() {
    let temp = tempfile::tempdir().unwrap();
    let path = config(temp.path(), "kind = \"test\"\nspeed = 3", "kind = \"none\"");
    for verb in ["check", "run"] {
        let (code, _, errors) = ran(&[verb, &path]);
        assert_eq!(code, 2, "{errors}");
        has(&errors, &[&path, "speed"]);
    }
    let path = config(temp.path(), "kind = \"test\"\nsize = \"1x1\"", "kind = \"file\"");
    let (code, _, errors) = ran(&["check", &path]);
    assert_eq!(code, 2);
    has(&errors, &[&path, "breaks 2 rules", "source.size = \"1x1\"", "sink.path = nothing"]);
    has(&refused(2, &["check", "/nowhere.toml"]), &["/nowhere.toml can not be read"]);
}

#[test]
fn what_is_missing_is_named_before_anything_plays() {
    let temp = tempfile::tempdir().unwrap();
    let path = config(temp.path(), "kind = \"file\"\npath = \"lost.mkv\"", "kind = \"none\"");
    has(&refused(3, &["run", &path]), &["source.path", "lost.mkv"]);
    let path = config(temp.path(), "kind = \"v4l2\"\ndevice = \"/dev/video99\"", "kind = \"none\"");
    has(&refused(3, &["run", &path]), &["source.device", "/dev/video99"]);
    has(
        &refused(3, &["demo", "--engine", "/nowhere"]),
        &["/nowhere", "no manifest.json", "polyp-engine new"],
    );
    let path = config(temp.path(), "kind = \"test\"", "kind = \"file\"\npath = \"/nowhere/out.mkv\"");
    has(&refused(1, &["run", &path]), &["/nowhere/out.mkv can not be written"]);
    let path = config(temp.path(), "kind = \"test\"", "kind = \"window\"");
    let output = polyp(&["run", &path]).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap();
    let (code, _, errors) = ended(output);
    assert_eq!(code, 3, "{errors}");
    has(&errors, &["sink.kind = \"window\"", "no display"]);
}

#[test]
fn a_fallback_reaches_the_element_which_knows_the_names() {
    let temp = tempfile::tempdir().unwrap();
    let path = config(temp.path(), "kind = \"test\"", "kind = \"none\"");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[sink]", "fallback = [\"ort\", \"cuda9\"]\n[sink]")).unwrap();
    assert_eq!(ran(&["check", &path]).0, 0);
    has(&refused(1, &["run", &path]), &["property fallback", "expected openvino or ort", "found cuda9"]);
    let out = temp.path().join("out");
    let demo = ["demo", "--no-window", "--out", out.to_str().unwrap()];
    let said = refused(1, &[&demo[..], &["--backend", "ort", "--fallback", "openvino,ort"]].concat());
    has(&said, &["property fallback", "found ort in both"]);
}

#[test]
fn an_engine_that_is_broken_is_refused_with_file_expected_and_found() {
    let temp = tempfile::tempdir().unwrap();
    let engine = temp.path().join("engine");
    std::fs::create_dir(&engine).unwrap();
    for entry in std::fs::read_dir(root().join("engines/store/lite")).unwrap() {
        let from = entry.unwrap().path();
        std::fs::copy(&from, engine.join(from.file_name().unwrap())).unwrap();
    }
    let memory = engine.join("memory.safetensors");
    let mut bytes = std::fs::read(&memory).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&memory, bytes).unwrap();
    let out = temp.path().join("out");
    let said = refused(
        1,
        &["demo", "--engine", engine.to_str().unwrap(), "--out", out.to_str().unwrap(), "--no-window"],
    );
    has(&said, &["memory.safetensors", "expected sha256", "found"]);
}

#[test]
fn stills_that_are_wrong_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let stills = temp.path().to_str().unwrap();
    has(&refused(3, &["demo", "--stills", stills]), &[stills, "pictures.csv"]);
    std::fs::write(temp.path().join("pictures.csv"), "name,width_px,height_px,note\na,64,64,x\n").unwrap();
    std::fs::create_dir(temp.path().join("images")).unwrap();
    std::fs::write(temp.path().join("images/a.jpg"), "no picture").unwrap();
    has(&refused(1, &["demo", "--stills", stills]), &["a.jpg"]);
    std::fs::write(temp.path().join("pictures.csv"), "name,width_px,height_px,note\n").unwrap();
    has(&refused(1, &["demo", "--stills", stills]), &["at least one picture"]);
}

/// Waits until the child's output file has so many bytes.
fn grown(child: &mut Child, file: &Path, bytes: u64) {
    let until = Instant::now() + Duration::from_secs(60);
    while std::fs::metadata(file).map_or(0, |found| found.len()) < bytes {
        assert!(Instant::now() < until, "{} did not grow to {bytes} bytes", file.display());
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_run_ends_with_ctrl_c_and_its_file_plays_again_alone() {
    let temp = tempfile::tempdir().unwrap();
    let video: PathBuf = temp.path().join("out.mkv");
    let source = "kind = \"demo\"\nsize = \"640x360\"\nframerate = \"30\"";
    let path = config(temp.path(), source, "kind = \"file\"\npath = \"out.mkv\"");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[segment]\n", "[segment]\nalarm = \"1/1/0\"\n")).unwrap();
    let mut child = polyp(&["run", &path]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    grown(&mut child, &video, 300_000);
    output("kill", &["-INT", &child.id().to_string()]);
    let (code, said, errors) = ended(child.wait_with_output().unwrap());
    assert_eq!(code, 0, "{errors}");
    has(&said, &["frames:", "with a held one", "out.mkv is written"]);
    has(&errors, &["alarm: a polyp is in view"]);
    // And as a source: to its end, by itself.
    let path = config(temp.path(), "kind = \"file\"\npath = \"out.mkv\"", "kind = \"none\"");
    let (code, said, errors) = ran(&["run", &path]);
    assert_eq!(code, 0, "{errors}");
    let frames: u64 = said.lines().last().unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(frames > 15, "{said}");
}

#[test]
fn a_file_that_is_no_video_is_an_error_and_not_a_hang() {
    let temp = tempfile::tempdir().unwrap();
    std::fs::write(temp.path().join("note.mkv"), "this is no video").unwrap();
    let path = config(temp.path(), "kind = \"file\"\npath = \"note.mkv\"", "kind = \"none\"");
    let (code, _, errors) = ran(&["run", &path]);
    assert_eq!(code, 1, "{errors}");
    assert!(errors.starts_with("polyp: ") && errors.lines().count() == 1, "{errors}");
}

#[test]
fn a_full_disk_ends_the_run_and_is_told() {
    if !Path::new("/dev/full").exists() {
        return polyp_tests::skipped("a full disk", "this system has no /dev/full");
    }
    let temp = tempfile::tempdir().unwrap();
    let source = "kind = \"demo\"\nsize = \"640x360\"\nframerate = \"30\"";
    std::os::unix::fs::symlink("/dev/full", temp.path().join("out.mkv")).unwrap();
    let path = config(temp.path(), source, "kind = \"file\"\npath = \"out.mkv\"");
    let (code, said, errors) = ran(&["run", &path]);
    assert_eq!(code, 1, "{said}\n{errors}");
    has(&errors, &["polyp: ", "No space left"]);
    assert!(!said.contains("is written"), "{said}");
}
