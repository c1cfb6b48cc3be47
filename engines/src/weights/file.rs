//! Safetensors files: arrays and a few words about them.
//!
//! Reading is the `safetensors` crate's; writing is ours, because the crate writes metadata in hash order and
//! the same weights must give the same bytes (engine folders are checked by sha256).
//!
//! Not here: what the arrays are for.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Array;
use super::float::{self, Float};
use crate::error::EngineError;

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Contents {
    /// Floating-point tensors.
    pub(crate) arrays: BTreeMap<String, Array>,
    /// The header's `__metadata__`.
    pub(crate) metadata: BTreeMap<String, String>,
}

const EXPECTED: &str = "a complete safetensors file";

/// Reads all floating-point tensors of `path`.
pub(crate) fn read(path: &Path) -> Result<Contents, EngineError> {
    from_bytes(path, &fs::read(path).map_err(EngineError::file("read", path))?)
}

/// Reads all floating-point tensors of `bytes`; `path` is for messages.
pub(crate) fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Contents, EngineError> {
    let refuse = |error: safetensors::SafeTensorError| EngineError::format(path, EXPECTED, error.to_string());
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(refuse)?;
    let file = SafeTensors::deserialize(bytes).map_err(refuse)?;
    let mut arrays = BTreeMap::new();
    for (name, view) in file.iter() {
        let field = |expected: &str, found: String| EngineError::Field {
            path: path.to_owned(),
            field: name.to_owned(),
            expected: expected.to_owned(),
            found,
        };
        let float = match view.dtype() {
            Dtype::F32 => Float::F32,
            Dtype::F16 => Float::F16,
            Dtype::BF16 => Float::Bf16,
            Dtype::I64 | Dtype::I32 | Dtype::I16 | Dtype::I8 | Dtype::U8 | Dtype::BOOL => continue,
            other => return Err(field("F32, F16 or BF16", format!("{other:?}"))),
        };
        let values = float
            .decode(view.data())
            .ok_or_else(|| field("a whole number of values", format!("{} bytes", view.data().len())))?;
        let array = Array::new(view.shape().to_vec(), values)?;
        if let Some((index, value)) = array.not_finite() {
            return Err(field("finite values", format!("{value} at {index}")));
        }
        arrays.insert(name.to_owned(), array);
    }
    let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
    Ok(Contents { arrays, metadata })
}

/// The bytes of a file with `arrays` in the order given, and `metadata`.
pub(crate) fn to_bytes<'a>(
    arrays: impl Iterator<Item = (&'a str, &'a Array)> + Clone,
    metadata: &[(&str, &str)],
) -> Vec<u8> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        let words: Map<String, Value> =
            metadata.iter().map(|&(key, value)| (key.to_owned(), value.into())).collect();
        header.insert("__metadata__".to_owned(), words.into());
    }
    let mut end = 0;
    for (name, array) in arrays.clone() {
        let start = end;
        end += 4 * array.values.len();
        header.insert(
            name.to_owned(),
            json!({"dtype": "F32", "shape": array.shape, "data_offsets": [start, end]}),
        );
    }
    let mut header = Value::Object(header).to_string();
    // Readers that map the file want the values at a multiple of 8.
    header.push_str(&" ".repeat(header.len().next_multiple_of(8) - header.len()));
    let mut bytes = Vec::with_capacity(8 + header.len() + end);
    bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    for (_, array) in arrays {
        bytes.extend_from_slice(&float::encode(&array.values));
    }
    bytes
}

/// Replaces `path` by `bytes`, which are on disk under another name before: a reader sees the old file or the
/// new one, and a power cut leaves one of them.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part: PathBuf = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = (|| {
        let mut file = fs::File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    })();
    written.map_err(|cause| {
        // The first failure is the one to report; the part may not even exist.
        drop(fs::remove_file(&part));
        EngineError::File { action: "write", path: path.to_owned(), cause }
    })
}

/// The sha256 of `bytes`, in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrays() -> BTreeMap<String, Array> {
        [
            ("first".to_owned(), Array::new(vec![2, 2], vec![1.0, -2.0, 0.5, 0.0]).unwrap()),
            ("second".to_owned(), Array::new(vec![], vec![3.0]).unwrap()),
        ]
        .into()
    }

    fn bytes() -> Vec<u8> {
        to_bytes(arrays().iter().map(|(n, a)| (n.as_str(), a)), &[("prompt", "a \"polyp\""), ("b", "")])
    }

    #[test]
    fn words_and_arrays_come_back() {
        let contents = from_bytes(Path::new("x"), &bytes()).unwrap();
        assert_eq!(contents.arrays, arrays());
        assert_eq!(contents.metadata["prompt"], "a \"polyp\"");
        assert_eq!(bytes(), bytes());
    }

    #[test]
    fn a_cut_or_changed_file_is_refused_or_read_but_never_a_panic() {
        let bytes = bytes();
        for length in 0..bytes.len() {
            let error = from_bytes(Path::new("cut.safetensors"), &bytes[..length]).unwrap_err().to_string();
            assert!(error.starts_with("cut.safetensors: expected a complete safetensors file"), "{error}");
        }
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[place] ^= 1 << bit;
                drop(from_bytes(Path::new("x"), &changed));
            }
        }
    }

    #[test]
    fn values_that_are_not_numbers_are_named() {
        let array = Array::new(vec![3], vec![0.0, f32::NAN, 0.0]).unwrap();
        let bytes = to_bytes([("head.bias", &array)].into_iter(), &[]);
        let error = from_bytes(Path::new("w.safetensors"), &bytes).unwrap_err().to_string();
        assert_eq!(error, "w.safetensors, field head.bias: expected finite values, found NaN at 1");
    }

    #[test]
    fn other_types_are_named() {
        let header = r#"{"n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"w":{"dtype":"F64","shape":[1],"data_offsets":[8,16]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(&[0; 16]);
        let error = from_bytes(Path::new("w"), &bytes).unwrap_err().to_string();
        assert_eq!(error, "w, field w: expected F32, F16 or BF16, found F64");
    }
}
