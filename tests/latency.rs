//! What shows where a frame's time goes, from outside: a stream that serves its figures, and the settings that keep a budget.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use polyp_tests::{plugin_folder, polyp, root, said, tool};

/// A port that nobody has just now.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn config(extra: &str) -> String {
    format!(
        "[source]\nkind = \"demo\"\nsize = \"320x240\"\nframerate = \"30\"\n[segment]\nengine = {:?}\n[sink]\nkind = \"none\"\n{extra}",
        root().join("engines/store/lite")
    )
}

#[test]
fn a_running_stream_is_looked_at_from_outside() {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let path = folder.path().join("cart.toml");
    std::fs::write(&path, config("[budget]\npicture = \"1us\"\nage = \"900ms\"\n")).unwrap();
    let mut child = Command::new(tool("polyp"))
        .args(["run", path.to_str().unwrap(), "--metrics", &port.to_string()])
        .env("GST_PLUGIN_PATH", plugin_folder())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let seen = loop {
        let looked = polyp(&["top", &port.to_string(), "--once"]);
        let text = String::from_utf8(looked.stdout).unwrap();
        if text.contains("mask: in the network") {
            break text;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{text} {}",
            String::from_utf8_lossy(&looked.stderr)
        );
        if let Some(status) = child.try_wait().unwrap() {
            let mut said = String::new();
            child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
            panic!("{status}: {said}");
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    assert!(seen.starts_with("lite 256 px, \"polyp\", openvino"), "{seen}");
    // Every frame is over a microsecond, and no mask over 900 ms.
    let cells = |name: &str| -> Vec<String> {
        let line =
            seen.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {seen}"));
        line[30..].split_whitespace().map(str::to_owned).collect()
    };
    let picture = cells("the picture's way");
    assert_eq!(picture.first(), picture.last(), "{seen}");
    assert_eq!(cells("age of the shown mask").last().map(String::as_str), Some("0"), "{seen}");
    let budget = said(&["budget", &format!("127.0.0.1:{port}")]);
    assert!(budget.contains("the picture's way, all of it"), "{budget}");
    let trace = folder.path().join("trace.json");
    said(&["trace", &port.to_string(), "--out", trace.to_str().unwrap()]);
    let trace: serde_json::Value = serde_json::from_slice(&std::fs::read(&trace).unwrap()).unwrap();
    let names: Vec<&str> =
        trace.as_array().unwrap().iter().filter_map(|event| event["name"].as_str()).collect();
    for stage in ["picture", "segment", "copy", "motion", "paint", "queue", "input", "infer", "decode"] {
        assert!(names.contains(&stage), "{stage}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn where_nothing_is_served_that_is_said() {
    let port = free_port().to_string();
    for verb in ["top", "trace", "budget"] {
        let ended = polyp(&[verb, &port]);
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(3), "{said}");
        assert!(said.contains(&format!("127.0.0.1:{port}: nothing is served there")), "{said}");
    }
}

#[test]
fn a_configuration_that_keeps_the_budget_is_written_and_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (path, out, picture) = (place("cart.toml"), place("tuned.toml"), place("tuned.svg"));
    std::fs::write(&path, config("")).unwrap();
    let line = |budget: &'static str, age: &'static str| {
        [
            "tune",
            &path,
            "--budget",
            budget,
            "--age",
            age,
            "--fps",
            "15",
            "--size",
            "320x240",
            "--time",
            "1s",
            "--out",
            &out,
            "--picture",
            &picture,
        ]
        .map(str::to_owned)
    };
    let run = |line: &[String]| polyp(&line.iter().map(String::as_str).collect::<Vec<_>>());
    // Nothing keeps a microsecond.
    let ended = run(&line("1us", "1s"));
    let said_so = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said_so}");
    assert!(
        said_so.contains("no setting keeps 0.00 ms at p99") && said_so.contains("forbids it"),
        "{said_so}"
    );
    assert!(!std::path::Path::new(&out).exists());
    // All do a second: debug builds and busy machines too.
    let ended = run(&line("1s", "1s"));
    let (printed, errors) =
        (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
    assert!(ended.status.success(), "{printed}{errors}");
    assert!(printed.contains("chosen: lite 256 px, "), "{printed}");
    said(&["check", &out]);
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.contains("[budget]\npicture = \"1s\""), "{text}");
    assert!(std::fs::read_to_string(&picture).unwrap().starts_with("<svg"));
    // An older configuration is not replaced.
    let ended = run(&line("1s", "1s"));
    assert_eq!(ended.status.code(), Some(2));
}
