//! The rules of the house: which package may see which, what the README's map says, and what no file may contain.
//!
//! Each rule is a function from texts to the list of what breaks it, so that the tests below can show it broken inputs:
//! a check that never fails checks nothing.

use polyp_tests::{output, root, skipped, tracked_files};
use serde_json::Value;
use std::collections::BTreeSet;

/// Package -> the packages of the workspace that it may depend on. Not one arrow more.
const ARROWS: &[(&str, &[&str])] = &[
    ("polyp", &[]),
    ("polyp-engine", &["polyp"]),
    ("gst-plugin-polyp", &["polyp-engine", "polyp"]),
    ("polyp-training", &["polyp-engine", "polyp"]),
    ("polyp-tests", &["gst-plugin-polyp", "polyp-engine", "polyp"]),
    ("polyp-fuzz", &["gst-plugin-polyp", "polyp-training", "polyp-engine", "polyp"]),
];

/// What lies outside of the workspace and may be seen by some of its packages only: the beginning of the crate's name,
/// and those packages.
const OUTSIDE: &[(&str, &[&str])] = &[
    ("gstreamer", &["polyp", "gst-plugin-polyp", "polyp-tests", "polyp-fuzz"]),
    ("openvino", &["polyp-engine"]),
    ("ort", &["polyp-engine"]),
    ("trtx", &["polyp-engine"]),
    ("tch", &["polyp-training"]),
    ("torch-sys", &["polyp-training"]),
    ("hdf5", &["polyp-training", "polyp-fuzz"]),
];

/// Folders of which every child folder stands in the README's map.
const MAPPED: &[&str] = &["src/", "engines/src/", "plugins/src/", "training/src/"];

const LONGEST_RS_FILE: usize = 600;

/// What a file may have, in bytes, and the folder of which that does not hold: a file stays in history for ever.
const LARGEST_FILE: u64 = 1 << 20;
const LARGE_FILES: &str = "engines/store/";

/// What no file of the repository names: registry hosts (a mirror is the user's own setting) and folders of one machine.
/// Written in two halves, because this file is read as well.
const FORBIDDEN: &[&str] = &[
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pypi", ".python.org"),
    concat!("python", "hosted.org"),
    concat!("deb.debian", ".org"),
    concat!("security.debian", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("proxy.golang", ".org"),
    concat!("..", "/shared"),
    concat!("/", "work/"),
];

/// Files that tools write; the lock file names the registry in each of its entries.
const WRITTEN_BY_TOOLS: &[&str] = &["Cargo.lock"];

// ---- the rules -------------------------------------------------------------------------------------------------

/// Arrows between packages of the workspace that [`ARROWS`] does not allow, of any kind (normal, dev, build).
fn wrong_arrows(metadata: &Value) -> Vec<String> {
    let packages = || metadata["packages"].as_array().into_iter().flatten();
    let names: BTreeSet<&str> = packages().filter_map(|package| package["name"].as_str()).collect();
    let mut wrong = Vec::new();
    for package in packages() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            wrong.push(format!("package {name} has no line in ARROWS"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"].as_str().unwrap_or_default();
            // A package may name itself as a dev-dependency, to switch its own features on.
            if names.contains(to) && to != name && !allowed.contains(&to) {
                wrong.push(format!("{name} -> {to} is not an allowed arrow"));
            }
        }
    }
    wrong
}

/// Crates from outside in packages that must not see them. The library `polyp` sees GStreamer through an optional
/// dependency alone: its tool needs it, and what else uses the library does not.
fn wrong_outside(metadata: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"].as_str().unwrap_or_default();
            let is =
                |begin: &str| to == begin || to.strip_prefix(begin).is_some_and(|rest| rest.starts_with('-'));
            if OUTSIDE.iter().any(|(begin, allowed)| is(begin) && !allowed.contains(&name)) {
                wrong.push(format!("{name} must not see {to}"));
            }
            if name == "polyp" && is("gstreamer") && dependency["optional"] != true {
                wrong.push(format!("{name} may see {to} only as an optional dependency"));
            }
        }
    }
    wrong
}

/// Files that are too large.
fn wrong_sizes(sizes: &[(&str, u64)]) -> Vec<String> {
    let large = sizes.iter().filter(|(file, size)| *size > LARGEST_FILE && !file.starts_with(LARGE_FILES));
    large
        .map(|(file, size)| {
            format!("{file} has {size} bytes; at most {LARGEST_FILE} outside of {LARGE_FILES}")
        })
        .collect()
}

/// One line of the README's map.
#[derive(Debug, PartialEq)]
struct Place {
    path: String,
    words: String,
}

/// The map's lines: between the two markers, each table row or list item that begins with a path in back quotes.
fn read_map(readme: &str) -> Result<Vec<Place>, String> {
    let (_, rest) = readme.split_once("<!-- map -->").ok_or("the README has no <!-- map -->")?;
    let (map, _) = rest.split_once("<!-- /map -->").ok_or("the README has no <!-- /map -->")?;
    let place = |line: &str| {
        let line = line.trim().trim_start_matches(['|', '-', '*', ' ']);
        let (path, words) = line.strip_prefix('`')?.split_once('`')?;
        let words = words.trim_matches(|c: char| c.is_whitespace() || "|:-".contains(c)).to_owned();
        Some(Place { path: path.to_owned(), words })
    };
    Ok(map.lines().filter_map(place).collect())
}

/// Where the map and the tracked files differ.
fn wrong_map(readme: &str, files: &[String]) -> Vec<String> {
    let places = match read_map(readme) {
        Ok(places) => places,
        Err(error) => return vec![error],
    };
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for Place { path, words } in &places {
        let exists =
            files.iter().any(|file| if path.ends_with('/') { file.starts_with(path) } else { file == path });
        if !exists {
            wrong.push(format!("the map lists {path}, and git tracks no such path"));
        }
        if words.is_empty() {
            wrong.push(format!("the map says nothing about {path}"));
        }
        if !seen.insert(path.as_str()) {
            wrong.push(format!("the map lists {path} twice"));
        }
    }
    let folders: BTreeSet<String> = files.iter().flat_map(|file| mapped_folders(file)).collect();
    wrong.extend(folders.iter().filter(|f| !seen.contains(f.as_str())).map(|f| format!("the map lacks {f}")));
    wrong
}

/// The folders above a file that have to stand in the map.
fn mapped_folders(file: &str) -> Vec<String> {
    let first_folder = |below: &str| below.split_once('/').map(|(folder, _)| format!("{folder}/"));
    let child = |parent: &str| Some(format!("{parent}{}", first_folder(file.strip_prefix(parent)?)?));
    first_folder(file).into_iter().chain(MAPPED.iter().filter_map(|parent| child(parent))).collect()
}

/// Lines that name what [`FORBIDDEN`] lists.
fn forbidden_words(path: &str, text: &str) -> Vec<String> {
    if WRITTEN_BY_TOOLS.contains(&path) {
        return Vec::new();
    }
    let names = |line: &str, word: &str| {
        line.match_indices(word).any(|(at, _)| {
            // A folder within a path is some project's; one after a space or a quote is a machine's.
            let before = line[..at].chars().next_back();
            !(word.starts_with('/') && before.is_some_and(|c| c.is_alphanumeric() || "._-})".contains(c)))
        })
    };
    let lines = text.lines().enumerate();
    lines
        .flat_map(|(index, line)| {
            FORBIDDEN.iter().filter(move |word| names(line, word)).map(move |w| (index, w))
        })
        .map(|(index, word)| format!("{path}:{} names {word}", index + 1))
        .collect()
}

/// A Rust file that has grown past [`LONGEST_RS_FILE`] lines.
fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (path.ends_with(".rs") && lines > LONGEST_RS_FILE)
        .then(|| format!("{path} has {lines} lines, at most {LONGEST_RS_FILE} are allowed: something in it is a file of its own"))
}

// ---- the repository keeps them ---------------------------------------------------------------------------------

fn none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The tracked files that are there and are text, with their content.
fn tracked_texts() -> Option<Vec<(String, String)>> {
    let files = tracked_files();
    if files.is_none() {
        skipped("the house's rules about files", "this folder is not a git checkout");
    }
    let read =
        |path: String| Some((path.clone(), String::from_utf8(std::fs::read(root().join(&path)).ok()?).ok()?));
    Some(files?.into_iter().filter_map(read).collect())
}

#[test]
fn no_arrow_goes_up_or_sideways() {
    let text = output(env!("CARGO"), &["metadata", "--no-deps", "--format-version", "1"]);
    let metadata = serde_json::from_str(&text).unwrap();
    none(&wrong_arrows(&metadata));
    none(&wrong_outside(&metadata));
    let count = metadata["packages"].as_array().unwrap().len();
    assert_eq!(count, ARROWS.len(), "ARROWS lists packages that the workspace does not have");
}

#[test]
fn no_large_file_is_tracked_by_mistake() {
    let Some(files) = tracked_files() else {
        return skipped("whether large files are tracked", "this folder is not a git checkout");
    };
    let size = |file: &String| std::fs::metadata(root().join(file)).map_or(0, |meta| meta.len());
    let sizes: Vec<(&str, u64)> = files.iter().map(|file| (file.as_str(), size(file))).collect();
    assert_eq!(wrong_sizes(&sizes), Vec::<String>::new());
    let found =
        wrong_sizes(&[("a.whl", LARGEST_FILE + 1), ("b", LARGEST_FILE), ("engines/store/x", 1 << 30)]);
    assert!(found.len() == 1 && found[0].starts_with("a.whl has 1048577 bytes"), "{found:?}");
}

#[test]
fn the_map_of_the_readme_is_true() {
    let Some(files) = tracked_files() else {
        return skipped("the README's map", "this folder is not a git checkout");
    };
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    none(&wrong_map(&readme, &files));
}

#[test]
fn no_file_names_a_registry_or_a_folder_of_one_machine() {
    let texts = tracked_texts().unwrap_or_default();
    none(&texts.iter().flat_map(|(path, text)| forbidden_words(path, text)).collect::<Vec<_>>());
}

#[test]
fn no_rust_file_is_too_long() {
    let texts = tracked_texts().unwrap_or_default();
    none(&texts.iter().filter_map(|(path, text)| too_long(path, text)).collect::<Vec<_>>());
}

// ---- and the checks can fail -----------------------------------------------------------------------------------

mod checks {
    use super::*;

    fn workspace(package: &str, kind: Option<&str>, dependency: &str) -> Value {
        let mut packages: Vec<Value> =
            ARROWS.iter().map(|(name, _)| serde_json::json!({ "name": name, "dependencies": [] })).collect();
        packages.retain(|p| p["name"] != package);
        packages.push(serde_json::json!({
            "name": package, "dependencies": [{ "name": dependency, "kind": kind }, { "name": "serde", "kind": null }],
        }));
        serde_json::json!({ "packages": packages })
    }

    #[test]
    fn arrows_up_and_sideways_are_found() {
        for (package, dependency) in [
            ("polyp", "polyp-engine"),
            ("polyp-engine", "gst-plugin-polyp"),
            ("gst-plugin-polyp", "polyp-training"),
            ("polyp-training", "gst-plugin-polyp"),
            ("polyp-tests", "polyp-training"),
        ] {
            for kind in [None, Some("dev"), Some("build")] {
                let wrong = wrong_arrows(&workspace(package, kind, dependency));
                assert_eq!(wrong, [format!("{package} -> {dependency} is not an allowed arrow")], "{kind:?}");
            }
        }
    }

    #[test]
    fn allowed_arrows_pass_and_unknown_packages_do_not() {
        assert!(wrong_arrows(&workspace("polyp-engine", None, "polyp")).is_empty());
        assert!(wrong_arrows(&workspace("polyp", Some("dev"), "polyp")).is_empty());
        assert_eq!(
            wrong_arrows(&workspace("polyp-new", None, "polyp")),
            ["package polyp-new has no line in ARROWS"]
        );
    }

    #[test]
    fn crates_from_outside_are_kept_where_they_belong() {
        let seen = |package: &str, dependency: &str| wrong_outside(&workspace(package, None, dependency));
        assert_eq!(seen("polyp", "tch"), ["polyp must not see tch"]);
        assert_eq!(seen("gst-plugin-polyp", "hdf5-metno"), ["gst-plugin-polyp must not see hdf5-metno"]);
        assert_eq!(seen("polyp-engine", "gstreamer"), ["polyp-engine must not see gstreamer"]);
        assert_eq!(seen("polyp", "gstreamer"), ["polyp may see gstreamer only as an optional dependency"]);
        assert!(seen("polyp-training", "torch-sys").is_empty());
        assert!(seen("polyp", "ortho").is_empty());
    }

    const FILES: &[&str] =
        &["README.md", "src/lib.rs", "src/model/mod.rs", "src/model/deep/a.rs", "docs/A.md"];

    fn map(lines: &str) -> Vec<String> {
        let files: Vec<String> = FILES.iter().map(|&file| file.to_owned()).collect();
        wrong_map(&format!("# Title\n`lost/` is outside\n<!-- map -->\n{lines}\n<!-- /map -->\n"), &files)
    }

    #[test]
    fn a_true_map_passes_as_table_and_as_list() {
        assert_eq!(
            map("| path | what |\n|---|---|\n| `src/` | a |\n| `src/model/` | b |\n| `docs/` | c |"),
            [""; 0]
        );
        assert_eq!(map("- `src/`: a\n- `src/model/` - b\n* `docs/` -> c\n- `README.md`: this"), [""; 0]);
    }

    #[test]
    fn holes_and_ghosts_in_the_map_are_found() {
        assert_eq!(map("- `src/`: a\n- `docs/`: c"), ["the map lacks src/model/"]);
        assert_eq!(map("- `src/`: a\n- `src/model/`: b"), ["the map lacks docs/"]);
        let ghost = map("- `src/`: a\n- `src/model/`: b\n- `docs/`: c\n- `lost/`: d");
        assert_eq!(ghost, ["the map lists lost/, and git tracks no such path"]);
        // A file is not found as a folder, nor the beginning of a name as the name.
        assert_eq!(map("- `src/`: a\n- `src/model/`: b\n- `docs/`: c\n- `READ`: d").len(), 1);
        let silent = map("| `src/` | |\n| `src/model/` | b |\n| `docs/` | c |");
        assert_eq!(silent, ["the map says nothing about src/"]);
        assert_eq!(
            map("- `src/`: a\n- `src/`: a\n- `src/model/`: b\n- `docs/`: c"),
            ["the map lists src/ twice"]
        );
    }

    #[test]
    fn a_readme_without_a_map_is_refused() {
        assert_eq!(wrong_map("# Title", &[]), ["the README has no <!-- map -->"]);
        assert_eq!(wrong_map("<!-- map -->", &[]), ["the README has no <!-- /map -->"]);
    }

    #[test]
    fn every_forbidden_word_is_found() {
        for word in FORBIDDEN {
            let text = format!("first\nsee \"{word}x\"\n");
            assert_eq!(forbidden_words("docs/A.md", &text), [format!("docs/A.md:2 names {word}")]);
            assert!(forbidden_words("Cargo.lock", &text).is_empty());
        }
    }

    #[test]
    fn innocent_words_are_not_found() {
        let folder = FORBIDDEN.last().unwrap();
        for text in ["framework, network, crates, io", &format!("some{folder}x"), &format!("./.{folder}x")] {
            assert!(forbidden_words("docs/A.md", text).is_empty(), "{text}");
        }
        assert_eq!(forbidden_words("a", folder).len(), 1);
    }

    #[test]
    fn long_rust_files_are_found_and_long_tables_are_not() {
        let text = "x\n".repeat(LONGEST_RS_FILE);
        assert!(too_long("a.rs", &text).is_none());
        assert!(too_long("a.rs", &(text.clone() + "x\n")).unwrap().contains("601 lines"));
        assert!(too_long("a.md", &(text + "x\n")).is_none());
    }
}
