//! Captions from a file of JSON lines: `{"name": "..", "p1": "..", .., "p6": ".."}`, an object a line. Other keys
//! are not looked at.
//!
//! Not here: what the captions say ([`Captions`]).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use crate::TrainingError;
use crate::data::Captions;

#[derive(Deserialize)]
struct Line {
    name: String,
    #[serde(default)]
    p1: String,
    #[serde(default)]
    p2: String,
    #[serde(default)]
    p3: String,
    #[serde(default)]
    p4: String,
    #[serde(default)]
    p5: String,
    #[serde(default)]
    p6: String,
}

/// Captions by the name of their picture.
pub(super) type ByName = BTreeMap<String, Captions>;

/// Reads the file.
///
/// # Errors
/// [`TrainingError`] naming the file and, for a line that is not as it should be or names a picture again, its
/// number.
pub(super) fn read(path: &Path) -> Result<ByName, TrainingError> {
    let file = File::open(path).map_err(TrainingError::file("open", path))?;
    let mut captions = BTreeMap::new();
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(TrainingError::file("read", path))?;
        if line.trim().is_empty() {
            continue;
        }
        let field = || format!("line {}", index + 1);
        let Line { name, p1, p2, p3, p4, p5, p6 } = serde_json::from_str(&line).map_err(|error| {
            let expected = "a JSON object with the texts name and, where there are any, p1 to p6";
            TrainingError::field(path, field(), expected, error.to_string())
        })?;
        let texts = [p1, p2, p3, p4, p5, p6].map(|text| text.trim().to_owned());
        if captions.insert(name.clone(), Captions::new(texts)).is_some() {
            return Err(TrainingError::field(path, field(), "a name of its own", format!("{name} again")));
        }
    }
    Ok(captions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<ByName, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_are_read_and_other_keys_passed_over() {
        let read =
            of("{\"name\":\"a\",\"bbox\":[1,2],\"p1\":\"polyp\",\"p3\":\"red polyp\"}\n\n{\"name\":\"b\"}\n");
        let read = read.unwrap();
        assert_eq!(
            (read["a"].p(1), read["a"].p(2), read["a"].p(3)),
            (Some("polyp"), None, Some("red polyp"))
        );
        assert!(read["b"].is_empty());
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        for (text, part) in [
            ("{\"name\":\"a\"}\n{\"name\":\"b\",", "line 2"),
            ("{\"p1\":\"polyp\"}", "line 1"),
            ("{\"name\":\"a\",\"p1\":7}", "line 1"),
            ("{\"name\":\"a\"}\n{\"name\":\"a\"}", "line 2: expected a name of its own, found a again"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(part) && error.lines().count() == 1, "{error}");
        }
    }
}
