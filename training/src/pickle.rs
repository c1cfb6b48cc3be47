//! Python pickles, as far as PyTorch's weight files need them: a machine that runs nothing.
//!
//! It knows the operations of protocol 2 that PyTorch writes, makes dictionaries, lists, tuples, numbers and words,
//! and remembers where a tensor lies in its storage. Every name that a file asks for is either one of the few that
//! tensors need or a refusal.
//!
//! Source: the operations as documented in Python's `pickletools`.
//!
//! Not here: storages' bytes and files ([`crate::convert`]).

use std::collections::BTreeMap;
use std::rc::Rc;

/// What a pickle can hold here.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// A whole number of more than 8 bytes, little-endian.
    Long(Vec<u8>),
    Float(f64),
    Text(Rc<str>),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// `module.name`.
    Global(Rc<str>),
    Storage(Storage),
    Tensor(Tensor),
}

/// A storage that a tensor lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Storage {
    /// Its class in module `torch`, as `FloatStorage`.
    pub(crate) class: Rc<str>,
    pub(crate) key: Rc<str>,
    /// Elements.
    pub(crate) count: usize,
}

/// Where a tensor lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tensor {
    pub(crate) storage: Storage,
    /// In elements, as strides are.
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) stride: Vec<usize>,
}

/// Reads the pickle at the start of `bytes`; gives its value and how long it was, or why it is refused.
pub(crate) fn load(bytes: &[u8]) -> Result<(Value, usize), String> {
    let mut machine =
        Machine { bytes, place: 0, stack: Vec::new(), marks: Vec::new(), memo: BTreeMap::new() };
    loop {
        if let Some(value) = machine.step()? {
            return Ok((value, machine.place));
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    place: usize,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: BTreeMap<usize, Value>,
}

fn cut() -> String {
    "a pickle that is cut or damaged".to_owned()
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.place.checked_add(count).ok_or_else(cut)?;
        let taken = self.bytes.get(self.place..end).ok_or_else(cut)?;
        self.place = end;
        Ok(taken)
    }

    /// A little-endian number of `count` (at most 8) bytes.
    fn number(&mut self, count: usize) -> Result<usize, String> {
        let bytes = self.take(count)?;
        let value = bytes.iter().rev().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
        usize::try_from(value).map_err(|_error| cut())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = self.bytes.get(self.place..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or_else(cut)?;
        let line = self.take(length + 1)?;
        std::str::from_utf8(line.get(..length).unwrap_or_default()).map_err(|_error| cut())
    }

    fn text(&mut self, length: usize) -> Result<Value, String> {
        let text = std::str::from_utf8(self.take(length)?).map_err(|_error| cut())?;
        Ok(Value::Text(text.into()))
    }

    fn pop(&mut self) -> Result<Value, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor { Err(cut()) } else { self.stack.pop().ok_or_else(cut) }
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.marks.pop().ok_or_else(cut)?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn tuple(&mut self, count: usize) -> Result<Value, String> {
        let start = self.stack.len().checked_sub(count).ok_or_else(cut)?;
        Ok(Value::Tuple(self.stack.split_off(start)))
    }

    /// One operation; the pickle's value at its end.
    fn step(&mut self) -> Result<Option<Value>, String> {
        let op = *self.take(1)?.first().ok_or_else(cut)?;
        let made = match op {
            0x80 => {
                let protocol = self.number(1)?;
                if protocol != 2 {
                    return Err(format!("a pickle of protocol {protocol}"));
                }
                return Ok(None);
            }
            b'.' => return self.pop().map(Some),
            b'(' => {
                self.marks.push(self.stack.len());
                return Ok(None);
            }
            b'q' | b'r' => {
                let index = self.number(if op == b'q' { 1 } else { 4 })?;
                let value = self.stack.last().ok_or_else(cut)?.clone();
                self.memo.insert(index, value);
                return Ok(None);
            }
            b'h' | b'j' => {
                let index = self.number(if op == b'h' { 1 } else { 4 })?;
                match self.memo.get(&index).ok_or_else(cut)? {
                    // What was kept may have grown since; no weight file needs it.
                    Value::List(_) | Value::Dict(_) => {
                        return Err("a list or dictionary in two places".to_owned());
                    }
                    value => value.clone(),
                }
            }
            b'N' => Value::None,
            0x88 | 0x89 => Value::Bool(op == 0x88),
            b'K' => Value::Int(self.number(1)? as i64),
            b'M' => Value::Int(self.number(2)? as i64),
            b'J' => Value::Int(i64::from(self.number(4)? as u32 as i32)),
            0x8a => {
                let length = self.number(1)?;
                long(self.take(length)?)
            }
            b'G' => Value::Float(f64::from_be_bytes(self.take(8)?.try_into().map_err(|_error| cut())?)),
            b'U' => {
                let length = self.number(1)?;
                self.text(length)?
            }
            b'X' | b'T' => {
                let length = self.number(4)?;
                self.text(length)?
            }
            b')' => Value::Tuple(Vec::new()),
            0x85..=0x87 => self.tuple(usize::from(op - 0x84))?,
            b't' => Value::Tuple(self.pop_to_mark()?),
            b']' => Value::List(Vec::new()),
            b'}' => Value::Dict(Vec::new()),
            b'a' | b'e' | b's' | b'u' => return self.fill(op).map(|()| None),
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                Value::Global(format!("{module}.{name}").into())
            }
            b'Q' => storage(self.pop()?)?,
            b'R' => {
                let arguments = self.pop()?;
                reduce(&self.pop()?, arguments)?
            }
            b'b' => {
                // Attributes of a dictionary: module versions, which say nothing about weights.
                self.pop()?;
                return match self.stack.last() {
                    Some(Value::Dict(_)) => Ok(None),
                    _ => Err("an object with attributes, which weights do not have".to_owned()),
                };
            }
            other => return Err(format!("the pickle operation {other:#04x}, which weights do not need")),
        };
        self.stack.push(made);
        Ok(None)
    }

    /// APPEND, APPENDS, SETITEM, SETITEMS.
    fn fill(&mut self, op: u8) -> Result<(), String> {
        let items = match op {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_to_mark()?,
        };
        match self.stack.last_mut() {
            Some(Value::List(list)) if op == b'a' || op == b'e' => list.extend(items),
            Some(Value::Dict(dict)) if op == b's' || op == b'u' => {
                let (pairs, rest) = items.as_chunks::<2>();
                if !rest.is_empty() {
                    return Err(cut());
                }
                dict.extend(pairs.iter().map(|[key, value]| (key.clone(), value.clone())));
            }
            _ => return Err(cut()),
        }
        Ok(())
    }
}

fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Long(bytes.to_vec());
    }
    let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
    let mut whole = [fill; 8];
    for (to, from) in whole.iter_mut().zip(bytes) {
        *to = *from;
    }
    Value::Int(i64::from_le_bytes(whole))
}

/// A persistent id: `("storage", class, key, place, count)`, and a view of it that must be none.
fn storage(id: Value) -> Result<Value, String> {
    let refuse = || "a persistent object that is no storage".to_owned();
    let Value::Tuple(parts) = id else { return Err(refuse()) };
    let ([Value::Text(word), Value::Global(class), Value::Text(key), _, Value::Int(count)]
    | [Value::Text(word), Value::Global(class), Value::Text(key), _, Value::Int(count), Value::None]) =
        parts.as_slice()
    else {
        return Err(refuse());
    };
    match (word.as_ref(), class.strip_prefix("torch."), usize::try_from(*count)) {
        ("storage", Some(class), Ok(count)) => {
            Ok(Value::Storage(Storage { class: class.into(), key: key.clone(), count }))
        }
        _ => Err(refuse()),
    }
}

fn reduce(function: &Value, arguments: Value) -> Result<Value, String> {
    let (Value::Global(name), Value::Tuple(arguments)) = (function, arguments) else { return Err(cut()) };
    match (name.as_ref(), arguments.as_slice()) {
        ("collections.OrderedDict", []) => Ok(Value::Dict(Vec::new())),
        (
            "torch._utils._rebuild_tensor_v2",
            [Value::Storage(storage), Value::Int(offset), shape, stride, ..],
        ) => {
            let tensor = Tensor {
                storage: storage.clone(),
                offset: usize::try_from(*offset).map_err(|_error| cut())?,
                shape: lengths(shape)?,
                stride: lengths(stride)?,
            };
            if tensor.shape.len() == tensor.stride.len() { Ok(Value::Tensor(tensor)) } else { Err(cut()) }
        }
        ("torch._utils._rebuild_parameter", [tensor @ Value::Tensor(_), ..]) => Ok(tensor.clone()),
        _ => Err(format!("a call of {name}, which weights do not need")),
    }
}

fn lengths(value: &Value) -> Result<Vec<usize>, String> {
    let Value::Tuple(values) = value else { return Err(cut()) };
    let one = |value: &Value| match value {
        Value::Int(length) => usize::try_from(*length).map_err(|_error| cut()),
        _ => Err(cut()),
    };
    values.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_values() {
        let (value, length) = load(b"\x80\x02}q\x00(X\x01\x00\x00\x00aK\x07X\x01\x00\x00\x00b]q\x01(J\xfe\xff\xff\xff\x8a\x02\x00\x01\x88Neu.rest").unwrap();
        let list = vec![Value::Int(-2), Value::Int(256), Value::Bool(true), Value::None];
        let text = |word: &str| Value::Text(word.into());
        assert_eq!(value, Value::Dict(vec![(text("a"), Value::Int(7)), (text("b"), Value::List(list))]));
        assert_eq!(length, 38);
    }

    #[test]
    fn nothing_is_called() {
        let call = b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.";
        assert_eq!(load(call).unwrap_err(), "a call of os.system, which weights do not need");
        assert_eq!(
            load(b"\x80\x02cos\nsystem\nNb.").unwrap_err(),
            "an object with attributes, which weights do not have"
        );
        assert_eq!(load(b"\x80\x04N.").unwrap_err(), "a pickle of protocol 4");
        assert_eq!(load(b"\x80\x02i.").unwrap_err(), "the pickle operation 0x69, which weights do not need");
    }

    #[test]
    fn cut_and_changed_pickles_are_refused_or_read_but_never_a_panic() {
        let whole = b"\x80\x02ccollections\nOrderedDict\n)Rq\x00(X\x01\x00\x00\x00aK\x07X\x01\x00\x00\x00b]K\x01K\x02\x86aXu.";
        for length in 0..whole.len() {
            assert!(load(&whole[..length]).is_err(), "{length}");
        }
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.to_vec();
                changed[place] ^= 1 << bit;
                drop(load(&changed));
            }
        }
    }
}
