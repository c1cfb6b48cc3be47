//! The prompt memory: the six small tensors that every frame is asked about, and where they come from.
//!
//! As a file it is a safetensors of the six tensors with the three words in its metadata, some 80 KB for `lite`
//! and 130 KB for `base`.
//!
//! Not here: how it is made ([`crate::prompt`]).

use std::path::Path;

use polyp::model::{LEVELS, Network};

use crate::error::EngineError;
use crate::weights::{Array, file};

/// What a network remembers of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptMemory {
    /// The prompt, as it was written.
    pub prompt: String,
    /// [`crate::prompt::TextEncoder::sha256`] of the text encoder that read it, in hexadecimal.
    pub encoder_sha256: String,
    /// The sha256 of the engine's `prompt.safetensors`, in hexadecimal.
    pub engine_sha256: String,
    /// Name and `[T,C]` tensor, in the order of [`polyp::model::Network::memory_shapes`].
    pub tensors: Vec<(String, Array)>,
}

const PROMPT: &str = "prompt";
const ENCODER: &str = "encoder_sha256";
const ENGINE: &str = "engine_sha256";

impl PromptMemory {
    /// Reads a memory file.
    ///
    /// # Errors
    /// [`EngineError::File`] when it can not be read, [`EngineError::Format`] when it is cut or of another
    /// format, [`EngineError::Field`] naming a word or tensor that is missing, unknown or not finite.
    pub fn read(path: &Path) -> Result<Self, EngineError> {
        Self::from_contents(path, file::read(path)?)
    }

    /// The same of a file's bytes; `path` is for messages.
    ///
    /// # Errors
    /// As [`Self::read`], but for reading.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self, EngineError> {
        Self::from_contents(path, file::from_bytes(path, bytes)?)
    }

    fn from_contents(path: &Path, contents: file::Contents) -> Result<Self, EngineError> {
        let refuse = |field: &str, expected: &str, found: &str| EngineError::Field {
            path: path.to_owned(),
            field: field.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        };
        let file::Contents { mut arrays, mut metadata } = contents;
        let mut word = |name: &str| metadata.remove(name).ok_or_else(|| refuse(name, "a word", "none"));
        let (prompt, encoder_sha256, engine_sha256) = (word(PROMPT)?, word(ENCODER)?, word(ENGINE)?);
        let mut tensors = Vec::new();
        for (level, _) in LEVELS {
            for part in ["key", "value"] {
                let name = format!("memory.{level}.{part}");
                let array = arrays.remove(&name).ok_or_else(|| refuse(&name, "a tensor", "none"))?;
                tensors.push((name, array));
            }
        }
        match arrays.keys().next() {
            Some(more) => Err(refuse(more, "no such tensor in a prompt memory", "one")),
            None => Ok(Self { prompt, encoder_sha256, engine_sha256, tensors }),
        }
    }

    /// Writes a memory file; the same memory gives the same bytes, and a file that was there is replaced only
    /// when the new one is complete.
    ///
    /// # Errors
    /// [`EngineError::File`] when it can not be written.
    pub fn write(&self, path: &Path) -> Result<(), EngineError> {
        file::replace(path, &self.to_bytes())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let words = [(PROMPT, &self.prompt), (ENCODER, &self.encoder_sha256), (ENGINE, &self.engine_sha256)];
        let words = words.map(|(name, word)| (name, word.as_str()));
        file::to_bytes(self.tensors.iter().map(|(name, array)| (name.as_str(), array)), &words)
    }

    /// Whether `network` can take it: names in order, shapes, as many values as the shapes say, all finite.
    ///
    /// # Errors
    /// [`EngineError::Memory`] naming the first tensor that does not fit.
    pub fn check(&self, network: &Network) -> Result<(), EngineError> {
        let refuse = |tensor: &str, expected: String, found: String| {
            Err(EngineError::Memory { tensor: tensor.to_owned(), expected, found })
        };
        let wanted = network.memory_shapes();
        if self.tensors.len() != wanted.len() {
            return refuse("tensors", wanted.len().to_string(), self.tensors.len().to_string());
        }
        for ((name, array), (wanted_name, shape)) in self.tensors.iter().zip(wanted) {
            if *name != wanted_name {
                return refuse(&wanted_name, "it in its place".to_owned(), name.clone());
            }
            if array.shape != shape {
                return refuse(name, format!("shape {shape:?}"), format!("{:?}", array.shape));
            }
            let count: usize = shape.iter().product();
            if array.values.len() != count {
                return refuse(name, format!("{count} values"), array.values.len().to_string());
            }
            if let Some((index, value)) = array.not_finite() {
                return refuse(name, "finite values".to_owned(), format!("{value} at {index}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use polyp::model::ModelSpec;

    use super::*;

    fn network() -> Network {
        Network::new(&ModelSpec::lite()).unwrap()
    }

    fn memory() -> PromptMemory {
        let tensors = network().memory_shapes().into_iter().enumerate().map(|(index, (name, shape))| {
            let values = (0..shape[0] * shape[1]).map(|place| (index + place) as f32).collect();
            (name, Array::new(shape.to_vec(), values).unwrap())
        });
        PromptMemory {
            prompt: "a small \"polyp\"\n".to_owned(),
            encoder_sha256: "e".to_owned(),
            engine_sha256: "f".to_owned(),
            tensors: tensors.collect(),
        }
    }

    fn from_bytes(bytes: &[u8]) -> Result<PromptMemory, EngineError> {
        PromptMemory::from_bytes(Path::new("memory.safetensors"), bytes)
    }

    #[test]
    fn a_round_trip_keeps_words_and_order() {
        let memory = memory();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("memory.safetensors");
        memory.write(&path).unwrap();
        let read = PromptMemory::read(&path).unwrap();
        assert_eq!(read, memory);
        read.check(&network()).unwrap();
    }

    #[test]
    fn a_cut_or_changed_file_is_refused_or_read_but_never_a_panic() {
        let bytes = memory().to_bytes();
        for length in (0..bytes.len()).step_by(97).chain(0..1200) {
            assert!(from_bytes(&bytes[..length]).is_err(), "cut at {length}");
        }
        for place in 0..1200 {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << (place % 8);
            if let Ok(memory) = from_bytes(&changed) {
                drop(memory.check(&network()));
            }
        }
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        let mut short = memory();
        short.tensors.remove(3);
        let error = from_bytes(&short.to_bytes()).unwrap_err().to_string();
        assert_eq!(error, "memory.safetensors, field memory.d8.value: expected a tensor, found none");
        let mut long = memory();
        long.tensors.push(("memory.d2.key".to_owned(), Array::new(vec![1], vec![0.0]).unwrap()));
        assert!(from_bytes(&long.to_bytes()).unwrap_err().to_string().contains("field memory.d2.key"));
        let bare = file::to_bytes(std::iter::empty(), &[]);
        assert!(from_bytes(&bare).unwrap_err().to_string().contains("field prompt: expected a word"));
    }

    #[test]
    fn what_a_network_can_not_take_is_named() {
        let refusal = |change: &dyn Fn(&mut PromptMemory)| {
            let mut memory = memory();
            change(&mut memory);
            memory.check(&network()).unwrap_err().to_string()
        };
        assert_eq!(refusal(&|m| m.tensors.truncate(2)), "prompt memory, tensors: expected 6, found 2");
        assert_eq!(
            refusal(&|m| m.tensors.swap(0, 1)),
            "prompt memory, memory.d16.key: expected it in its place, found memory.d16.value"
        );
        assert_eq!(
            refusal(&|m| m.tensors[2].1.shape = vec![12, 127]),
            "prompt memory, memory.d8.key: expected shape [12, 128], found [12, 127]"
        );
        assert_eq!(
            refusal(&|m| m.tensors[5].1.values[3] = f32::INFINITY),
            "prompt memory, memory.d4.value: expected finite values, found inf at 3"
        );
        assert!(refusal(&|m| m.tensors[0].1.values.clear()).contains("values, found 0"));
    }
}
