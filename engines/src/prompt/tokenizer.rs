//! A sentence to 24 token numbers: `tokenizer.json`, or lower-cased WordPiece of a `vocab.txt`.

use std::path::{Path, PathBuf};

use polyp::model::PROMPT_TOKENS;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{
    AddedToken, PaddingParams, PaddingStrategy, PostProcessor, Tokenizer as Inner, TruncationParams,
};

use crate::error::EngineError;

const CLASS: &str = "[CLS]";
const SEPARATOR: &str = "[SEP]";
const PADDING: &str = "[PAD]";

/// A prompt as the text encoder sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    /// [`PROMPT_TOKENS`] numbers: class, words, separator, padding.
    pub(super) numbers: Vec<u32>,
    /// How many of them are not padding.
    pub(super) used: usize,
    /// Whether the sentence was longer.
    pub(super) cut: bool,
}

/// A tokenizer that gives [`PROMPT_TOKENS`] tokens.
#[derive(Debug)]
pub(super) struct Tokenizer {
    inner: Inner,
    path: PathBuf,
    vocabulary: usize,
}

impl Tokenizer {
    /// The tokenizer of a file's `bytes`: a vocabulary when `path` ends in `.txt`, else a `tokenizer.json`.
    /// Padding is the token `padding`; numbers are below `vocabulary`.
    pub(super) fn new(
        path: &Path,
        bytes: &[u8],
        vocabulary: usize,
        padding: u32,
    ) -> Result<Self, EngineError> {
        let wrong =
            |expected: &str, error: tokenizers::Error| EngineError::format(path, expected, error.to_string());
        let mut inner = if path.extension().is_some_and(|end| end == "txt") {
            word_pieces(bytes).map_err(|error| wrong("a WordPiece vocabulary, one token a line", error))?
        } else {
            Inner::from_bytes(bytes).map_err(|error| wrong("a tokenizer", error))?
        };
        let added = inner.get_post_processor().map_or(0, |processor| processor.added_tokens(false));
        if added != 2 {
            let expected = format!("a tokenizer that adds 2 tokens, {CLASS} and {SEPARATOR}");
            return Err(EngineError::format(path, expected, added.to_string()));
        }
        let cut = TruncationParams { max_length: PROMPT_TOKENS, ..TruncationParams::default() };
        inner.with_truncation(Some(cut)).map_err(|error| wrong("a tokenizer that can cut", error))?;
        inner.with_padding(Some(PaddingParams {
            strategy: PaddingStrategy::Fixed(PROMPT_TOKENS),
            pad_id: padding,
            pad_token: PADDING.to_owned(),
            ..PaddingParams::default()
        }));
        let tokenizer = Self { inner, path: path.to_owned(), vocabulary };
        tokenizer.check_ends()?;
        Ok(tokenizer)
    }

    /// An empty sentence must be the class token, the separator, padding.
    fn check_ends(&self) -> Result<(), EngineError> {
        let number = |token: &str| {
            self.inner
                .token_to_id(token)
                .ok_or_else(|| EngineError::format(&self.path, format!("a token {token}"), "none"))
        };
        let (class, separator) = (number(CLASS)?, number(SEPARATOR)?);
        let empty = self.encode("")?;
        if empty.used != 2 || !empty.numbers.starts_with(&[class, separator]) {
            let expected = format!("an empty sentence to be {CLASS} {SEPARATOR}, {class} {separator}");
            return Err(EngineError::format(&self.path, expected, format!("{:?}", empty.numbers)));
        }
        Ok(())
    }

    /// The tokens of a sentence, filled up or cut to [`PROMPT_TOKENS`].
    pub(super) fn encode(&self, sentence: &str) -> Result<Tokens, EngineError> {
        let encoding = self.inner.encode(sentence, true).map_err(|error| {
            EngineError::format(&self.path, format!("a tokenizer for {sentence:?}"), error.to_string())
        })?;
        let numbers = encoding.get_ids().to_vec();
        if numbers.len() != PROMPT_TOKENS {
            let expected = format!("a tokenizer that gives {PROMPT_TOKENS} tokens");
            return Err(EngineError::format(&self.path, expected, numbers.len().to_string()));
        }
        if let Some(number) = numbers.iter().find(|&&number| number as usize >= self.vocabulary) {
            let expected = format!("tokens below the configuration's vocab_size, {}", self.vocabulary);
            return Err(EngineError::format(&self.path, expected, number.to_string()));
        }
        let used = encoding.get_attention_mask().iter().filter(|&&used| used != 0).count();
        Ok(Tokens { numbers, used, cut: !encoding.get_overflowing().is_empty() })
    }
}

/// BERT's tokenizer as its authors built it, from a vocabulary alone.
fn word_pieces(bytes: &[u8]) -> tokenizers::Result<Inner> {
    let vocabulary = WordPiece::builder().vocab(WordPiece::read_bytes(bytes)?).build()?;
    let mut inner = Inner::new(vocabulary);
    let number = |inner: &Inner, token: &str| {
        inner.token_to_id(token).ok_or_else(|| tokenizers::Error::from(format!("no token {token}")))
    };
    let (separator, class) = (number(&inner, SEPARATOR)?, number(&inner, CLASS)?);
    inner.with_normalizer(Some(BertNormalizer::new(true, true, None, true)))?;
    inner.with_pre_tokenizer(Some(BertPreTokenizer));
    let ends = BertProcessing::new((SEPARATOR.to_owned(), separator), (CLASS.to_owned(), class));
    inner.with_post_processor(Some(ends));
    let special = ["[UNK]", CLASS, SEPARATOR, PADDING, "[MASK]"];
    let special: Vec<_> = special
        .into_iter()
        .filter(|token| inner.token_to_id(token).is_some())
        .map(|token| AddedToken::from(token, true))
        .collect();
    inner.add_special_tokens(special)?;
    Ok(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\npolyp\n##s\nsmall\n.\n";

    fn tokenizer() -> Tokenizer {
        Tokenizer::new(Path::new("vocab.txt"), VOCABULARY.as_bytes(), 10, 0).unwrap()
    }

    #[test]
    fn words_are_lower_cased_split_and_padded() {
        let tokens = tokenizer().encode("Small POLYPS, é.").unwrap();
        assert_eq!(tokens.numbers[..9], [2, 8, 6, 7, 1, 1, 9, 3, 0]);
        assert_eq!((tokens.numbers.len(), tokens.used, tokens.cut), (PROMPT_TOKENS, 8, false));
    }

    #[test]
    fn a_long_sentence_keeps_its_end_mark() {
        let tokens = tokenizer().encode(&"polyp ".repeat(40)).unwrap();
        assert_eq!((tokens.numbers[22], tokens.numbers[23], tokens.used, tokens.cut), (6, 3, 24, true));
    }

    #[test]
    fn files_that_would_mean_something_else_are_refused() {
        let refusal = |name: &str, bytes: &[u8], vocabulary| {
            Tokenizer::new(Path::new(name), bytes, vocabulary, 0).unwrap_err().to_string()
        };
        assert!(refusal("vocab.txt", b"polyp\n[UNK]\n", 10).contains("found no token [SEP]"));
        assert!(refusal("vocab.txt", &[0xff, 0xfe], 10).starts_with("vocab.txt: expected"));
        assert!(refusal("tokenizer.json", b"{}", 10).starts_with("tokenizer.json: expected a tokenizer"));
        let error = refusal("vocab.txt", VOCABULARY.as_bytes(), 3);
        assert!(
            error.contains("expected tokens below the configuration's vocab_size, 3, found 3"),
            "{error}"
        );
    }
}
