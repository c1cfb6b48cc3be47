//! The promises of docs/SAFETY.md have the tests that it names, and nothing on a frame's way reads the wall clock.
//!
//! Each rule is a function from texts to the list of what breaks it, so that the tests below can show it broken inputs.
//!
//! Not here: whether those tests hold what is promised; they say so themselves.

use polyp_tests::{root, skipped, tracked_files};

/// Folders through which every frame goes.
const FRAMES_WAY: &[&str] =
    &["plugins/src/", "engines/src/worker", "engines/src/isolation/", "src/frozen.rs", "src/segmentation.rs"];

/// Files in them through which no frame goes: they name sessions and say when those began.
const BESIDE: &[&str] = &["plugins/src/polyprecord/store.rs"];

/// What reads the wall clock. Written in two halves, because this file is read as well.
const WALL_CLOCK: &[&str] =
    &[concat!("System", "Time"), concat!("UNIX", "_EPOCH"), concat!("date", "_time_now")];

/// The parts of a line in back quotes.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether `text` has a test of that name: a function with `#[test]` above it, or a row of a table of tests.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_test = |at: usize| {
        let above = lines.iter().take(at).rev().take_while(|line| line.starts_with(['#', '/']));
        above.clone().any(|line| *line == "#[test]")
    };
    let (function, row) = (format!("fn {name}("), format!("{name}: Fault {{"));
    lines
        .iter()
        .enumerate()
        .any(|(at, line)| line.starts_with(&row) || (line.starts_with(&function) && is_test(at)))
}

/// What the last column of the document's tables names and `read` does not find. A table of tests is one whose head ends
/// in `by`.
fn wrong_promises(document: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let (mut wrong, mut of_tests) = (Vec::new(), false);
    for line in document.lines() {
        let Some(row) = line.trim().strip_prefix('|') else {
            of_tests = false;
            continue;
        };
        let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
        let last = cells.last().copied().unwrap_or_default();
        if last.ends_with(" by") {
            of_tests = true;
            continue;
        }
        if !of_tests || last.starts_with("---") {
            continue;
        }
        let (mut file, mut tests) = (None, 0);
        for name in quoted(last) {
            if name.ends_with(".rs") {
                file = read(name);
                if file.is_none() {
                    wrong.push(format!("{name} is named, and there is no such file"));
                }
                continue;
            }
            tests += 1;
            match &file {
                Some(text) if has_test(text, name) => {}
                _ => wrong.push(format!("{name} is no test of the file before it")),
            }
        }
        if tests == 0 {
            wrong.push(format!("{} is held by no test", cells.first().copied().unwrap_or_default()));
        }
    }
    wrong
}

/// Lines that read the wall clock.
fn wall_clock(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    let named = lines.filter(|(_, line)| WALL_CLOCK.iter().any(|word| line.contains(word)));
    named.map(|(index, _)| format!("{path}:{} reads the wall clock", index + 1)).collect()
}

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_promise_has_its_test() {
    let document = std::fs::read_to_string(root().join("docs/SAFETY.md")).unwrap();
    none(&wrong_promises(&document, |file| std::fs::read_to_string(root().join(file)).ok()));
    let rows = document.lines().filter(|line| line.contains(".rs`: `")).count();
    assert!(rows > 25, "only {rows} rows were found");
}

#[test]
fn nothing_on_a_frames_way_reads_the_wall_clock() {
    let Some(files) = tracked_files() else {
        return skipped("whether the wall clock is read", "this folder is not a git checkout");
    };
    let on_the_way = files.iter().filter(|file| {
        FRAMES_WAY.iter().any(|way| file.starts_with(way)) && !BESIDE.contains(&file.as_str())
    });
    let texts: Vec<(&String, String)> = on_the_way
        .filter_map(|file| Some((file, std::fs::read_to_string(root().join(file)).ok()?)))
        .collect();
    assert!(texts.len() > 20, "only {} files were found", texts.len());
    none(&texts.iter().flat_map(|(path, text)| wall_clock(path, text)).collect::<Vec<_>>());
}

#[test]
fn promises_without_their_tests_are_found() {
    let file = "#[test]\nfn holds() {}\n\nfn helper() {}\n\nfaults! {\n    row: Fault {\n    };\n}\n";
    let read = |path: &str| (path == "a.rs").then(|| file.to_owned());
    let wrong = |rows: &str| wrong_promises(&format!("| promise | held by |\n|---|---|\n{rows}\n"), read);
    assert_eq!(wrong("| a `word` | `a.rs`: `holds`, `row` |"), [""; 0]);
    assert_eq!(wrong("| a | `a.rs`: `gone` |"), ["gone is no test of the file before it"]);
    assert_eq!(wrong("| a | `a.rs`: `helper` |"), ["helper is no test of the file before it"]);
    let lost = wrong("| a | `b.rs`: `holds` |");
    assert_eq!(lost, ["b.rs is named, and there is no such file", "holds is no test of the file before it"]);
    assert_eq!(wrong("| a | `a.rs` |"), ["a is held by no test"]);
    assert_eq!(wrong_promises("| badge | meaning |\n|---|---|\n| `x` | `y` |\n", read), [""; 0]);
}

#[test]
fn a_look_at_the_wall_clock_is_found() {
    for word in WALL_CLOCK {
        assert_eq!(wall_clock("a.rs", &format!("one\nlet now = {word};\n")), ["a.rs:2 reads the wall clock"]);
    }
    assert_eq!(wall_clock("a.rs", "let now = Instant::now();"), [""; 0]);
}
