//! Whose engine folders are opened: an engine is code, and its manifest vouches for all of it by the other files' sha256.
//!
//! Not here: the other files against the manifest ([`super::EngineFolder`]).

use std::path::Path;

use minisign_verify::{PublicKey, Signature};

use crate::error::EngineError;
use crate::manifest::{MANIFEST_FILE, SIGNATURE_FILE};
use crate::weights::file::sha256_hex;

/// What a folder's manifest has to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Any.
    #[default]
    Any,
    /// Signed by whoever has the secret key to this public one.
    SignedBy(SigningKey),
    /// The one with this sha256, in hexadecimal: a folder that was opened before, and not one that took its place.
    Manifest(String),
}

impl Trust {
    /// Refuses the manifest `bytes` of the folder `dir` unless it is what it has to be.
    ///
    /// # Errors
    /// [`EngineError::File`] when there is no signature to read, [`EngineError::Format`] when it is none, or another's, or the manifest is another.
    pub(super) fn check(&self, dir: &Path, bytes: &[u8]) -> Result<(), EngineError> {
        match self {
            Self::Any => Ok(()),
            Self::SignedBy(key) => {
                let path = dir.join(SIGNATURE_FILE);
                let text = std::fs::read_to_string(&path).map_err(EngineError::file("read", &path))?;
                key.verify(&path, &text, bytes)
            }
            Self::Manifest(expected) => {
                let found = sha256_hex(bytes);
                if found == *expected {
                    return Ok(());
                }
                let expected = format!("the one with sha256 {expected}, which was opened before");
                Err(EngineError::format(
                    &dir.join(MANIFEST_FILE),
                    expected,
                    format!("one with sha256 {found}"),
                ))
            }
        }
    }
}

/// The public key of a pair that minisign made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey(PublicKey);

impl SigningKey {
    /// Reads the key as the second line of `minisign.pub` has it: 56 characters of base64.
    ///
    /// # Errors
    /// [`EngineError::Refused`] when that is none.
    pub fn read(text: &str) -> Result<Self, EngineError> {
        let refused = |_error| EngineError::Refused {
            option: "public-key",
            expected: "the second line of a minisign.pub, 56 characters of base64".to_owned(),
            found: format!("{text:?}"),
        };
        PublicKey::from_base64(text).map(Self).map_err(refused)
    }

    /// Refuses `bytes` unless the signature `text`, which the file `path` holds, is this key's and theirs.
    ///
    /// # Errors
    /// [`EngineError::Format`] saying what is the matter with the signature.
    pub fn verify(&self, path: &Path, text: &str, bytes: &[u8]) -> Result<(), EngineError> {
        let refused = |error: minisign_verify::Error| {
            EngineError::format(
                path,
                format!("a minisign signature of {MANIFEST_FILE} by the given public key"),
                words(&error),
            )
        };
        let signature = Signature::decode(text).map_err(refused)?;
        self.0.verify(bytes, &signature, false).map_err(refused)
    }
}

fn words(error: &minisign_verify::Error) -> &'static str {
    use minisign_verify::Error as Is;
    match error {
        Is::InvalidSignature => "one of something else, or one that was changed",
        Is::UnexpectedKeyId => "one by another key",
        Is::UnexpectedAlgorithm | Is::UnsupportedAlgorithm | Is::UnsupportedLegacyMode => {
            "one in a form that is not taken (minisign 0.10 and later make the right one)"
        }
        Is::InvalidEncoding | Is::IoError(_) => "something that is none",
    }
}

#[cfg(test)]
mod tests {
    use minisign::KeyPair;
    use tempfile::TempDir;

    use super::*;
    use crate::folder::{EngineFolder, write_random};

    fn pair() -> (KeyPair, Trust) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let key = SigningKey::read(&pair.pk.to_base64()).unwrap();
        (pair, Trust::SignedBy(key))
    }

    fn sign(pair: &KeyPair, bytes: &[u8]) -> String {
        minisign::sign(Some(&pair.pk), &pair.sk, bytes, None, None).unwrap().to_string()
    }

    #[test]
    fn only_what_the_key_has_signed_is_opened() {
        let temp = TempDir::new().unwrap();
        let dir = temp.path().join("engine");
        let model = polyp::model::ModelSpec { side_px: 64, ..polyp::model::ModelSpec::lite() };
        write_random(&dir, model, 1).unwrap();
        let ((ours, by_us), (theirs, _)) = (pair(), pair());
        let path = dir.join(MANIFEST_FILE);
        let manifest = std::fs::read(&path).unwrap();
        let open = |signature: &str| {
            std::fs::write(dir.join(SIGNATURE_FILE), signature).unwrap();
            EngineFolder::open_trusted(&dir, &by_us).map(drop).map_err(|error| error.to_string())
        };
        let unsigned = EngineFolder::open_trusted(&dir, &by_us).unwrap_err().to_string();
        assert!(
            unsigned.contains("can not read") && unsigned.contains("manifest.json.minisig"),
            "{unsigned}"
        );
        open(&sign(&ours, &manifest)).unwrap();

        let refusals = [
            (sign(&theirs, &manifest), "found one by another key"),
            (sign(&ours, b"something else"), "found one of something else, or one that was changed"),
            (
                sign(&ours, &manifest).replace("timestamp", "timestomp"),
                "found one of something else, or one that was changed",
            ),
            ("signed: me".to_owned(), "found something that is none"),
        ];
        for (signature, words) in refusals {
            let error = open(&signature).unwrap_err();
            assert!(
                error.contains("manifest.json.minisig: expected a minisign signature")
                    && error.ends_with(words),
                "{error}"
            );
        }

        let signature = sign(&ours, &manifest);
        let text = String::from_utf8(manifest).unwrap();
        std::fs::write(&path, text.replace("\"temperature\": 1.0", "\"temperature\": 2.0")).unwrap();
        assert!(EngineFolder::open(&dir).is_ok(), "a changed manifest is not one any more");
        assert!(open(&signature).unwrap_err().ends_with("one of something else, or one that was changed"));
    }

    #[test]
    fn a_folder_that_took_another_ones_place_is_refused() {
        let temp = TempDir::new().unwrap();
        let dir = temp.path().join("engine");
        let model = polyp::model::ModelSpec { side_px: 64, ..polyp::model::ModelSpec::lite() };
        let first = write_random(&dir, model.clone(), 1).unwrap();
        let trust = Trust::Manifest(first.manifest_sha256().to_owned());
        EngineFolder::open_trusted(&dir, &trust).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        write_random(&dir, model, 2).unwrap();
        let error = EngineFolder::open_trusted(&dir, &trust).unwrap_err().to_string();
        assert!(
            error.contains(first.manifest_sha256()) && error.contains("which was opened before"),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "RWQ", "untrusted comment: minisign public key"] {
            let error = SigningKey::read(text).unwrap_err().to_string();
            assert!(error.starts_with("public-key: expected the second line of a minisign.pub"), "{error}");
        }
    }
}
