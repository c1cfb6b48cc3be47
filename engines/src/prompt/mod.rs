//! From a sentence to a prompt memory: tokens, text features, and the network's prompt side.
//!
//! All of it happens once per prompt, on the CPU, with the reference interpreter; frames only ever see the six
//! tensors that come out.
//!
//! Not here: the network's prompt side itself (`polyp::model::PromptLevel`), and frames.

mod cache;
mod config;
mod encoder;
mod layer;
mod remember;
mod tokenizer;

pub use cache::MemoryCache;
pub use encoder::TextEncoder;
pub use remember::{remember, remember_text};
