//! The text encoder against Hugging Face's own code, in every layout of a model folder, and what it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's way to fail"
)]

use std::fs;
use std::path::{Path, PathBuf};

use polyp::model::{ModelSpec, Network, PROMPT_TOKENS};
use polyp_engine::deps::{self, Dependency};
use polyp_engine::memory::PromptMemory;
use polyp_engine::prompt::{MemoryCache, TextEncoder, remember, remember_text};
use polyp_engine::weights::{Array, Weights};

/// The same three stand in golden/minilm.py.
const PROMPTS: [&str; 3] = [
    "polyp",
    "A small sessile polyp, near the wall of the colon.",
    "one medium sized, round and reddish polyp in the upper left of the picture, partly hidden behind a fold of \
     the mucosa, with several bright reflections of the lamp on its surface",
];

fn minilm() -> PathBuf {
    deps::find(Dependency::TextEncoder).expect("run make setup")
}

fn furthest(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn features_are_those_of_hugging_faces_code() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/minilm.safetensors");
    let golden = Weights::read_safetensors(&golden).unwrap();
    let golden = golden.named("last_hidden_state").unwrap();
    let encoder = TextEncoder::open(&minilm()).unwrap();
    assert_eq!(golden.shape, [PROMPTS.len(), PROMPT_TOKENS, encoder.width()]);
    for (prompt, expected) in PROMPTS.iter().zip(golden.values.chunks(PROMPT_TOKENS * encoder.width())) {
        let features = encoder.encode(prompt).unwrap();
        let difference = furthest(&features.values, expected);
        println!("{prompt:.20}: {difference:e}");
        assert!(difference < 1e-4, "{prompt}: {difference}");
    }
}

#[test]
fn a_vocabulary_alone_gives_the_same_features() {
    let (from, folder) = (minilm(), tempfile::tempdir().unwrap());
    for name in ["config.json", "model.safetensors", "vocab.txt"] {
        fs::copy(from.join(name), folder.path().join(name)).unwrap();
    }
    let (whole, alone) = (TextEncoder::open(&from).unwrap(), TextEncoder::open(folder.path()).unwrap());
    for prompt in PROMPTS {
        assert_eq!(whole.encode(prompt).unwrap(), alone.encode(prompt).unwrap(), "{prompt}");
    }
    assert_ne!(whole.sha256(), alone.sha256(), "another tokenizer file is another encoder");
}

/// A folder laid out as CXR-BERT's: `bert.` before every name, and heads beside it.
struct Small {
    folder: tempfile::TempDir,
}

impl Small {
    const WIDTH: usize = 16;

    fn new() -> Self {
        let small = Self { folder: tempfile::tempdir().unwrap() };
        let config = r#"{"model_type":"cxr-bert","hidden_size":16,"num_hidden_layers":2,"num_attention_heads":4,
            "intermediate_size":32,"vocab_size":8,"max_position_embeddings":32,"type_vocab_size":2,
            "hidden_act":"gelu","layer_norm_eps":1e-12,"pad_token_id":0,"projection_size":8}"#;
        fs::write(small.folder.path().join("config.json"), config).unwrap();
        let words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\npolyp\nsmall\n";
        fs::write(small.folder.path().join("vocab.txt"), words).unwrap();
        small.write(&Self::weights("bert."));
        small
    }

    fn write(&self, weights: &Weights) {
        weights.write_safetensors(&self.folder.path().join("model.safetensors")).unwrap();
    }

    fn open(&self) -> Result<TextEncoder, String> {
        TextEncoder::open(self.folder.path()).map_err(|error| error.to_string())
    }

    fn weights(prefix: &str) -> Weights {
        let (width, inner) = (Self::WIDTH, 32);
        let mut shapes = vec![
            ("embeddings.word_embeddings.weight".to_owned(), vec![8, width]),
            ("embeddings.position_embeddings.weight".to_owned(), vec![32, width]),
            ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, width]),
            ("embeddings.LayerNorm.weight".to_owned(), vec![width]),
            ("embeddings.LayerNorm.bias".to_owned(), vec![width]),
        ];
        for layer in 0..2 {
            let mut pair = |name: &str, weight: &[usize]| {
                let path = format!("encoder.layer.{layer}.{name}");
                shapes.push((format!("{path}.weight"), weight.to_vec()));
                shapes.push((format!("{path}.bias"), vec![weight[0]]));
            };
            for name in ["attention.self.query", "attention.self.key", "attention.self.value"] {
                pair(name, &[width, width]);
            }
            pair("attention.output.dense", &[width, width]);
            pair("attention.output.LayerNorm", &[width]);
            pair("intermediate.dense", &[inner, width]);
            pair("output.dense", &[width, inner]);
            pair("output.LayerNorm", &[width]);
        }
        let named = shapes.into_iter().map(|(name, shape)| {
            let count: usize = shape.iter().product();
            let seed = name.bytes().map(usize::from).sum::<usize>();
            let values = (0..count).map(|i| ((i * 37 + seed) % 23) as f32 / 11.0 - 1.0).collect();
            (format!("{prefix}{name}"), Array::new(shape, values).unwrap())
        });
        named.collect()
    }
}

fn one() -> Array {
    Array::new(vec![1], vec![1.0]).unwrap()
}

#[test]
fn a_prefix_and_heads_change_nothing() {
    let small = Small::new();
    let prefixed = small.open().unwrap().encode("a small polyp").unwrap();
    let mut weights = Small::weights("bert.");
    for name in ["cls.predictions.bias", "cls_projection_head.dense_to_output.bias", "bert.pooler.dense.bias"]
    {
        weights.insert(name, one());
    }
    small.write(&weights);
    assert_eq!(small.open().unwrap().encode("a small polyp").unwrap(), prefixed);
    small.write(&Small::weights(""));
    assert_eq!(small.open().unwrap().encode("a small polyp").unwrap(), prefixed);
    assert_eq!(prefixed.shape, [PROMPT_TOKENS, Small::WIDTH]);
    assert!(prefixed.values.iter().all(|value| value.is_finite()));
}

#[test]
fn everything_that_does_not_fit_is_named_at_once() {
    let small = Small::new();
    let missing = "bert.encoder.layer.1.attention.self.key.bias";
    let mut weights: Weights =
        Small::weights("bert.").into_iter().filter(|(name, _)| name != missing).collect();
    weights.insert("bert.encoder.layer.0.output.dense.bias", one());
    weights.insert("bert.encoder.layer.2.output.dense.bias", one());
    small.write(&weights);
    let error = small.open().unwrap_err();
    for part in [
        "model.safetensors: expected the parameters that config.json describes",
        "parameter encoder.layer.1.attention.self.key.bias: expected a tensor of shape [16], found none",
        "parameter encoder.layer.0.output.dense.bias: expected [16], found [1]",
        "extra tensor encoder.layer.2.output.dense.bias",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn folders_and_prompts_that_can_not_be_read_are_refused() {
    let small = Small::new();
    let error = small.open().unwrap().encode(" \n").unwrap_err().to_string();
    assert_eq!(error, "input prompt: expected at least one word, found \" \\n\"");
    let path = small.folder.path();
    let bytes = fs::read(path.join("model.safetensors")).unwrap();
    for length in (0..bytes.len()).step_by(211) {
        fs::write(path.join("model.safetensors"), &bytes[..length]).unwrap();
        let error = small.open().unwrap_err();
        assert!(error.contains("expected a complete safetensors file"), "{error}");
    }
    fs::remove_file(path.join("vocab.txt")).unwrap();
    assert!(small.open().unwrap_err().contains("expected tokenizer.json or vocab.txt, found neither"));
    fs::remove_file(path.join("config.json")).unwrap();
    assert!(small.open().unwrap_err().contains("config.json"));
}

fn lite() -> (Network, Weights) {
    let network = Network::new(&ModelSpec::lite()).unwrap();
    let weights = Weights::random(&network.prompt_params(), 11);
    (network, weights)
}

#[test]
fn a_memory_says_where_it_comes_from_and_is_kept() {
    let (network, weights) = lite();
    let encoder = TextEncoder::open(&minilm()).unwrap();
    let made = remember(&network, &weights, &encoder, "polyp").unwrap();
    made.check(&network).unwrap();
    assert_eq!(made.encoder_sha256, encoder.sha256());
    assert_eq!(made.engine_sha256, weights.sha256());
    assert_eq!(made.tensors, remember_text(&network, &weights, encoder.encode("polyp").unwrap()).unwrap());

    let folder = tempfile::tempdir().unwrap();
    let cache = MemoryCache::new(folder.path().join("memories"));
    let get = || cache.get_or_make(&network, &weights, &encoder, "polyp").unwrap();
    assert_eq!(get(), made);
    let files: Vec<_> = fs::read_dir(folder.path().join("memories")).unwrap().collect();
    let [Ok(file)] = files.as_slice() else { panic!("{files:?}") };
    // What is in the file is what comes back, unless it is damaged or another's.
    let mut other = made.clone();
    other.tensors[0].1.values[0] += 1.0;
    other.write(&file.path()).unwrap();
    assert_eq!(get(), other);
    PromptMemory { prompt: "a fold".to_owned(), ..other }.write(&file.path()).unwrap();
    assert_eq!(get(), made);
    fs::write(file.path(), b"damaged").unwrap();
    assert_eq!(get(), made);
}

#[test]
fn an_encoder_of_another_width_is_refused() {
    let (network, weights) = lite();
    let encoder = Small::new().open().unwrap();
    let error = remember(&network, &weights, &encoder, "polyp").unwrap_err().to_string();
    assert!(error.contains("config.json, field hidden_size: expected 384"), "{error}");
    let text = Array::new(vec![2, 384], vec![0.0; 768]).unwrap();
    let error = remember_text(&network, &weights, text).unwrap_err().to_string();
    assert_eq!(error, "input text features: expected shape [24, 384], found [2, 384]");
}
