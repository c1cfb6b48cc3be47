//! PyTorch's weight files (`.bin`, `.pth`, `.pt`) as safetensors: both the zip format of PyTorch 1.6 and newer and
//! the sequence of pickles before it. Nothing that a file says is run.
//!
//! Names, shapes, types and values stay as they are; a tensor that does not lie row by row in its storage, or
//! shares it with another, is written on its own and in row order. A file that holds anything but named tensors is
//! refused.
//!
//! Not here: the pickles' machine (`crate::pickle`), what the names mean.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{Cursor, Read};
use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::TrainingError;
use crate::pickle::{Storage, Tensor, Value, load};

/// The first value of the format before 1.6: 0x1950a86a20f9469cfc6c.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PROTOCOL: i64 = 1001;

/// Converts the weight file at `from` to safetensors bytes.
///
/// # Errors
/// [`TrainingError`] when the file can not be read or is refused, in one sentence that says why.
pub fn convert(from: &Path) -> Result<Vec<u8>, TrainingError> {
    let bytes = std::fs::read(from).map_err(TrainingError::file("read", from))?;
    let refuse = |found: String| {
        TrainingError::field(from, "(file)", "a PyTorch file of nothing but named tensors", found)
    };
    let tensors = read(&bytes).map_err(refuse)?;
    let mut views = Vec::with_capacity(tensors.len());
    for (name, tensor) in &tensors {
        let view = TensorView::new(tensor.kind, tensor.shape.clone(), &tensor.bytes)
            .map_err(|error| refuse(format!("tensor {name}: {error}")))?;
        views.push((name.as_str(), view));
    }
    safetensors::serialize(views, None).map_err(|error| refuse(error.to_string()))
}

/// A tensor's values in row order.
struct Rows {
    kind: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn read(bytes: &[u8]) -> Result<BTreeMap<String, Rows>, String> {
    if bytes.starts_with(b"PK\x03\x04") { read_zip(bytes) } else { read_sequence(bytes) }
}

/// `NAME/data.pkl`, and a file `NAME/data/KEY` for each storage.
fn read_zip(bytes: &[u8]) -> Result<BTreeMap<String, Rows>, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| format!("a zip file that is not whole: {error}"))?;
    let names: Result<Vec<String>, _> =
        archive.file_names().map(|name| name.map(|name| name.to_string())).collect();
    let mut pickles = names.map_err(|error| format!("a zip file with a damaged name: {error}"))?;
    pickles.retain(|name| name.ends_with("/data.pkl"));
    let [pickle] = pickles.as_slice() else {
        return Err(format!("{} entries data.pkl in a zip file", pickles.len()));
    };
    let mut entry = |name: &str| -> Result<Option<Vec<u8>>, String> {
        let mut file = match archive.by_name(name) {
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            other => other.map_err(|error| format!("{name}: {error}"))?,
        };
        // A length that the archive claims and does not have is no reason to reserve memory.
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(|error| format!("{name}: {error}"))?;
        Ok(Some(content))
    };
    let folder = pickle.trim_end_matches("data.pkl").to_owned();
    if entry(&format!("{folder}byteorder"))?.is_some_and(|order| order != b"little") {
        return Err("values of a big-endian machine".to_owned());
    }
    let whole = entry(pickle)?.unwrap_or_default();
    let tensors = named_tensors(load(&whole)?.0)?;
    let mut storages = BTreeMap::new();
    for tensor in tensors.values() {
        let key = &tensor.storage.key;
        if let Entry::Vacant(place) = storages.entry(key.to_string()) {
            let name = format!("{folder}data/{key}");
            place.insert(entry(&name)?.ok_or_else(|| format!("no {name}"))?);
        }
    }
    all_rows(tensors, &storages)
}

/// Magic number, protocol, the machine, the tensors, the storages' keys, then each storage.
fn read_sequence(bytes: &[u8]) -> Result<BTreeMap<String, Rows>, String> {
    let mut rest = bytes;
    let mut next = || -> Result<Value, String> {
        let (value, length) = load(rest)?;
        rest = rest.get(length..).unwrap_or_default();
        Ok(value)
    };
    if next().ok() != Some(Value::Long(MAGIC.to_vec())) {
        return Err("neither a zip file nor PyTorch's magic number".to_owned());
    }
    match next()? {
        Value::Int(PROTOCOL) => {}
        other => return Err(format!("protocol {other:?}")),
    }
    let Value::Dict(machine) = next()? else { return Err("no description of the machine".to_owned()) };
    if !machine.contains(&(Value::Text("little_endian".into()), Value::Bool(true))) {
        return Err("values of a big-endian machine".to_owned());
    }
    let tensors = named_tensors(next()?)?;
    let Value::List(keys) = next()? else { return Err("no list of storages".to_owned()) };
    let classes: BTreeMap<&str, &Storage> =
        tensors.values().map(|tensor| (tensor.storage.key.as_ref(), &tensor.storage)).collect();
    let mut storages = BTreeMap::new();
    for key in keys {
        let Value::Text(key) = key else { return Err("a storage without a name".to_owned()) };
        let storage =
            classes.get(key.as_ref()).ok_or_else(|| format!("storage {key}, which no tensor lies in"))?;
        let (_, width) = kind(storage)?;
        let cut = || format!("a file that is cut in storage {key}");
        let (count, after) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
        let length =
            usize::try_from(u64::from_le_bytes(*count)).ok().and_then(|count| count.checked_mul(width));
        let (content, after) = length.and_then(|length| after.split_at_checked(length)).ok_or_else(cut)?;
        storages.insert(key.to_string(), content.to_vec());
        rest = after;
    }
    all_rows(tensors, &storages)
}

fn named_tensors(value: Value) -> Result<BTreeMap<String, Tensor>, String> {
    let Value::Dict(entries) = value else { return Err("a pickle that is no dictionary".to_owned()) };
    let mut tensors = BTreeMap::new();
    for entry in entries {
        match entry {
            (Value::Text(name), Value::Tensor(tensor)) => tensors.insert(name.to_string(), tensor),
            (Value::Text(name), _) => return Err(format!("an entry {name} that is no tensor")),
            _ => return Err("an entry without a name".to_owned()),
        };
    }
    Ok(tensors)
}

fn all_rows(
    tensors: BTreeMap<String, Tensor>,
    storages: &BTreeMap<String, Vec<u8>>,
) -> Result<BTreeMap<String, Rows>, String> {
    let one = |(name, tensor): (String, Tensor)| {
        let storage = storages.get(tensor.storage.key.as_ref());
        let rows = storage.ok_or_else(|| "no storage".to_owned()).and_then(|storage| rows(tensor, storage));
        rows.map(|rows| (name.clone(), rows)).map_err(|found| format!("tensor {name}: {found}"))
    };
    tensors.into_iter().map(one).collect()
}

/// The safetensors type of a storage, and bytes of an element.
fn kind(storage: &Storage) -> Result<(Dtype, usize), String> {
    Ok(match storage.class.as_ref() {
        "DoubleStorage" => (Dtype::F64, 8),
        "FloatStorage" => (Dtype::F32, 4),
        "HalfStorage" => (Dtype::F16, 2),
        "BFloat16Storage" => (Dtype::BF16, 2),
        "LongStorage" => (Dtype::I64, 8),
        "IntStorage" => (Dtype::I32, 4),
        "ShortStorage" => (Dtype::I16, 2),
        "CharStorage" => (Dtype::I8, 1),
        "ByteStorage" => (Dtype::U8, 1),
        "BoolStorage" => (Dtype::BOOL, 1),
        other => return Err(format!("a {other}")),
    })
}

fn rows(tensor: Tensor, storage: &[u8]) -> Result<Rows, String> {
    let (kind, width) = kind(&tensor.storage)?;
    let beyond = || "values beyond its storage".to_owned();
    let count = tensor
        .shape
        .iter()
        .try_fold(1_usize, |count, &length| count.checked_mul(length))
        .ok_or_else(beyond)?;
    let mut bytes = Vec::new();
    if count > 0 {
        if count > storage.len() / width {
            return Err("more values than its storage has".to_owned());
        }
        let steps = tensor.shape.iter().zip(&tensor.stride);
        let last = steps.clone().try_fold(tensor.offset, |last, (&length, &step)| {
            (length - 1).checked_mul(step).and_then(|far| last.checked_add(far))
        });
        if last.is_none_or(|last| last >= storage.len() / width) {
            return Err(beyond());
        }
        bytes.reserve(count * width);
        let steps: Vec<(usize, usize)> = steps.map(|(&length, &step)| (length, step)).collect();
        walk(storage, width, tensor.offset, &steps, &mut bytes);
    }
    Ok(Rows { kind, shape: tensor.shape, bytes })
}

/// Copies elements in row order; `steps` are lengths and strides, outermost first.
fn walk(storage: &[u8], width: usize, start: usize, steps: &[(usize, usize)], out: &mut Vec<u8>) {
    match steps {
        [] => out.extend_from_slice(storage.get(start * width..(start + 1) * width).unwrap_or_default()),
        [(length, 1)] => {
            out.extend_from_slice(storage.get(start * width..(start + length) * width).unwrap_or_default());
        }
        [(length, step), inner @ ..] => {
            for index in 0..*length {
                walk(storage, width, start + index * step, inner, out);
            }
        }
    }
}
