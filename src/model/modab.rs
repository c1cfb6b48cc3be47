//! MoDAB, the modality decoding attention block: image tokens attend to each other, then to the prompt
//! memory. The frame side only; the prompt side is [`super::PromptLevel`].

use super::attention::{join_heads, position_table, split_heads, tokens_and_width, wrong_rank};
use super::prompt::Linear;
use super::{AttentionInputs, FrameOps, Fusion, Init, LevelMemory, ModelError, Param};

const HEADS: usize = 4;
const EPSILON: f64 = 1e-5;
const OUT_DROPOUT: f64 = 0.1;
const ALPHA: f32 = 1.421;

/// One block of `C` channels.
#[derive(Clone, Debug)]
pub struct MoDab {
    path: String,
    width: usize,
    attention_dropout: f64,
    self_in: Norm,
    qkv: Linear,
    query_norm: Norm,
    key_norm: Norm,
    self_out: Linear,
    self_norm: Norm,
    to_prompt: ToPrompt,
}

/// How image tokens learn of the prompt.
#[derive(Clone, Debug)]
enum ToPrompt {
    Attention(Box<Cross>),
    Addition,
    Never,
}

/// The cross-attention's own parameters.
#[derive(Clone, Debug)]
struct Cross {
    before: Norm,
    query: Linear,
    out: Linear,
    after: Norm,
    alpha: Param,
}

#[derive(Clone, Debug)]
struct Norm {
    weight: Param,
    bias: Param,
}

impl Norm {
    fn new(path: &str, width: usize) -> Self {
        Self {
            weight: Param::new(format!("{path}.weight"), &[width], Init::Constant(1.0)),
            bias: Param::new(format!("{path}.bias"), &[width], Init::Constant(0.0)),
        }
    }

    fn forward<O: FrameOps>(&self, ops: &O, x: &O::Tensor) -> Result<O::Tensor, ModelError> {
        ops.layer_norm(x, &self.weight, &self.bias, EPSILON)
    }
}

impl MoDab {
    /// A block of `width` channels (a multiple of 8).
    pub fn new(path: &str, width: usize, attention_dropout: f64, fusion: Fusion) -> Self {
        let norm = |name: &str, width| Norm::new(&format!("{path}.{name}"), width);
        let linear = |name: &str, out| Linear::new(&format!("{path}.{name}"), out, width);
        let to_prompt = match fusion {
            Fusion::CrossAttention => ToPrompt::Attention(Box::new(Cross {
                before: norm("cross_in", width),
                query: linear("cross_query", width),
                out: linear("cross_out", width),
                after: norm("cross_norm", width),
                alpha: Param::new(format!("{path}.alpha"), &[1], Init::Constant(ALPHA)),
            })),
            Fusion::Addition => ToPrompt::Addition,
            Fusion::None => ToPrompt::Never,
        };
        Self {
            path: path.to_owned(),
            width,
            attention_dropout,
            self_in: norm("self_in", width),
            qkv: linear("qkv", 3 * width),
            query_norm: norm("query_norm", width / HEADS),
            key_norm: norm("key_norm", width / HEADS),
            self_out: linear("self_out", width),
            self_norm: norm("self_norm", width),
            to_prompt,
        }
    }

    /// All parameters.
    pub fn params(&self) -> Vec<&Param> {
        let cross = match &self.to_prompt {
            ToPrompt::Attention(cross) => Some(cross),
            ToPrompt::Addition | ToPrompt::Never => None,
        };
        let mut all = Vec::new();
        let norms = [&self.self_in, &self.query_norm, &self.key_norm, &self.self_norm];
        for norm in norms.into_iter().chain(cross.iter().flat_map(|cross| [&cross.before, &cross.after])) {
            all.extend([&norm.weight, &norm.bias]);
        }
        let linears = [&self.qkv, &self.self_out].into_iter();
        for linear in linears.chain(cross.iter().flat_map(|cross| [&cross.query, &cross.out])) {
            all.extend(linear.params());
        }
        all.extend(cross.map(|cross| &cross.alpha));
        all
    }

    /// # Shapes
    /// `[B,C,H,W]`, memory keys and values `[B or 1,T,C]` -> `[B,C,H,W]`. A block without text takes no memory.
    ///
    /// # Errors
    /// [`ModelError`] from the interpreter, or for a memory that lacks what the block needs.
    pub fn forward<O: FrameOps>(
        &self,
        ops: &O,
        x: &O::Tensor,
        memory: Option<&LevelMemory<O::Tensor>>,
    ) -> Result<O::Tensor, ModelError> {
        let (height, width) = match *ops.shape(x).as_slice() {
            [_, _, height, width] => (height, width),
            ref other => return Err(wrong_rank(&self.path, 4, other)),
        };
        let rows = ops.permute(x, &[0, 2, 3, 1])?;
        let tokens = ops.reshape(&rows, &[height * width, self.width])?;
        let y = ops.add(&tokens, &self.attend_to_image(ops, &tokens)?)?;
        let y = match (&self.to_prompt, memory) {
            (ToPrompt::Attention(cross), Some(LevelMemory { key: Some(key), value })) => {
                let to_prompt = self.attend_to_prompt(ops, cross, &y, [key, value])?;
                ops.add(&y, &ops.scale(&to_prompt, &cross.alpha)?)?
            }
            (ToPrompt::Addition, Some(LevelMemory { value, .. })) => ops.add_token(&y, value)?,
            (ToPrompt::Never, None) => y,
            (_, memory) => return Err(self.wrong_memory(memory.is_some())),
        };
        let rows = ops.reshape(&y, &[height, width, self.width])?;
        ops.permute(&rows, &[0, 3, 1, 2])
    }

    fn attend_to_image<O: FrameOps>(&self, ops: &O, tokens: &O::Tensor) -> Result<O::Tensor, ModelError> {
        let placed = self.place(ops, &self.self_in.forward(ops, tokens)?)?;
        let qkv = self.qkv.forward(ops, &placed)?;
        let part = |index: usize| {
            let one = ops.slice(&qkv, 2, index * self.width, self.width)?;
            split_heads(ops, &one, HEADS)
        };
        let query = self.query_norm.forward(ops, &part(0)?)?;
        let key = self.key_norm.forward(ops, &part(1)?)?;
        let y = self.attend(ops, &query, &key, &part(2)?)?;
        let y = ops.dropout(&self.self_out.forward(ops, &y)?, OUT_DROPOUT)?;
        self.self_norm.forward(ops, &y)
    }

    fn attend_to_prompt<O: FrameOps>(
        &self,
        ops: &O,
        cross: &Cross,
        tokens: &O::Tensor,
        [key, value]: [&O::Tensor; 2],
    ) -> Result<O::Tensor, ModelError> {
        let placed = self.place(ops, &cross.before.forward(ops, tokens)?)?;
        let query = split_heads(ops, &cross.query.forward(ops, &placed)?, HEADS)?;
        let key = split_heads(ops, key, HEADS)?;
        let value = split_heads(ops, value, HEADS)?;
        let y = self.attend(ops, &query, &key, &value)?;
        cross.after.forward(ops, &cross.out.forward(ops, &y)?)
    }

    fn wrong_memory(&self, given: bool) -> ModelError {
        let expected = match self.to_prompt {
            ToPrompt::Attention(_) => "a key and a value",
            ToPrompt::Addition => "a value",
            ToPrompt::Never => "none",
        };
        let found = if given { "a memory of another form" } else { "none" };
        ModelError::Shape {
            op: format!("{}, memory", self.path),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }

    fn attend<O: FrameOps>(
        &self,
        ops: &O,
        query: &O::Tensor,
        key: &O::Tensor,
        value: &O::Tensor,
    ) -> Result<O::Tensor, ModelError> {
        let scale = ((self.width / HEADS) as f64).powf(-0.5);
        let dropout = self.attention_dropout;
        let y = ops.attention(&AttentionInputs { query, key, value, scale, dropout })?;
        join_heads(ops, &y)
    }

    /// Adds the position of each image token.
    fn place<O: FrameOps>(&self, ops: &O, tokens: &O::Tensor) -> Result<O::Tensor, ModelError> {
        let (count, width) = tokens_and_width(ops, tokens)?;
        let table = position_table(count, width);
        ops.add_table(tokens, &format!("{}.positions", self.path), &[count, width], &table)
    }
}
