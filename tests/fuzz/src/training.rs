//! What the trainer reads: PyTorch's weight files and data sets.

use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};
use hdf5::types::VarLenUnicode;
use polyp_engine::weights::Weights;
use polyp_training::convert::convert;
use polyp_training::data::{DataSet, FORMAT, FORMAT_VERSION};

use crate::{file, place, taken};

/// A PyTorch file that is taken is a safetensors file then.
pub(crate) fn checkpoint(bytes: &[u8]) {
    let path = file("weights.pth", bytes);
    let Some(converted) = taken(convert(&path), "weights.pth") else { return };
    if let Err(error) = Weights::from_safetensors(Path::new("converted"), &converted) {
        // What safetensors can hold and weights must not be.
        let said = error.to_string();
        assert!(["finite", "float32"].iter().any(|word| said.contains(word)), "{said}");
    }
}

/// Opens a data set and reads all of it.
fn read_all(path: &Path) {
    let Some(set) = taken(DataSet::open(path), "set.h5") else { return };
    for (index, info) in set.infos().iter().enumerate() {
        let Some(picture) = taken(set.read(index), "set.h5") else { continue };
        assert_eq!((picture.size, picture.mask.len()), (info.size, info.size.area()));
        assert_eq!(picture.rgb.len(), 3 * info.size.area());
        assert!(picture.mask.iter().all(|cell| *cell <= 1));
    }
}

/// What a dataset of a file holds instead of what it ought to.
#[derive(Clone, Debug, Arbitrary)]
enum Held {
    Right,
    Nothing,
    Numbers(Vec<u16>),
    Texts(Vec<u8>),
    Bytes { shape: (u8, u8, u8), fill: u8 },
    Flat(u8),
    Group,
}

/// A data set in which things are missing, of another type or of another shape.
#[derive(Clone, Debug, Arbitrary)]
struct Set {
    format: Held,
    version: Held,
    columns: [Held; 5],
    captions: Held,
    pictures: [(Held, Held); 2],
}

fn text(text: &str) -> VarLenUnicode {
    text.parse().unwrap()
}

/// Puts what is held there into the dataset `name`; `right` does so for what ought to be there.
fn put(file: &hdf5::File, name: &str, held: &Held, right: impl Fn() -> hdf5::Result<()>) -> hdf5::Result<()> {
    match held {
        Held::Right => right(),
        Held::Nothing => Ok(()),
        Held::Group => file.create_group(name).map(drop),
        Held::Numbers(numbers) => file.new_dataset_builder().with_data(numbers).create(name).map(drop),
        Held::Texts(letters) => {
            let texts: Vec<VarLenUnicode> =
                letters.iter().map(|l| text(&char::from(*l % 96 + 32).to_string())).collect();
            file.new_dataset_builder().with_data(&texts).create(name).map(drop)
        }
        Held::Bytes { shape: (a, b, c), fill } => {
            let shape = [a, b, c].map(|side| usize::from(*side % 9));
            let data = vec![*fill; shape.iter().product()];
            file.new_dataset::<u8>().shape(shape).create(name)?.write_raw(&data)
        }
        Held::Flat(side) => {
            let side = usize::from(*side % 9);
            file.new_dataset::<u8>().shape((side, side)).create(name)?.write_raw(&vec![1; side * side])
        }
    }
}

fn attribute(file: &hdf5::File, name: &str, held: &Held) -> hdf5::Result<()> {
    match held {
        Held::Right if name == "format" => {
            file.new_attr::<VarLenUnicode>().create(name)?.write_scalar(&text(FORMAT))
        }
        Held::Right => file.new_attr::<u32>().create(name)?.write_scalar(&FORMAT_VERSION),
        Held::Numbers(numbers) => file.new_attr_builder().with_data(numbers).create(name).map(drop),
        Held::Texts(_) | Held::Group => {
            file.new_attr::<VarLenUnicode>().create(name)?.write_scalar(&text("1"))
        }
        Held::Flat(number) => file.new_attr::<u32>().create(name)?.write_scalar(&u32::from(*number % 4)),
        Held::Nothing | Held::Bytes { .. } => Ok(()),
    }
}

impl Set {
    fn write(&self, path: &Path) -> hdf5::Result<()> {
        let file = hdf5::File::create(path)?;
        attribute(&file, "format", &self.format)?;
        attribute(&file, "format_version", &self.version)?;
        let columns = [
            ("name", ["a", "b"]),
            ("group", ["a", "b"]),
            ("split", ["train", "test"]),
            ("source", ["s", "s"]),
            ("licence", ["l", "l"]),
        ];
        for ((name, values), held) in columns.iter().zip(&self.columns) {
            put(&file, name, held, || {
                file.new_dataset_builder().with_data(&values.map(text)).create(*name).map(drop)
            })?;
        }
        put(&file, "caption", &self.captions, || {
            let empty = vec![text(""); 12];
            file.new_dataset::<VarLenUnicode>().shape((2, 6)).create("caption")?.write_raw(&empty)
        })?;
        for (index, (picture, mask)) in self.pictures.iter().enumerate() {
            for (group, held, length) in [("picture", picture, 3), ("mask", mask, 1)] {
                let name = format!("{group}/{index:06}");
                put(&file, &name, held, || {
                    let shape: &[usize] = if length == 3 { &[8, 8, 3] } else { &[8, 8] };
                    let made = file.new_dataset::<u8>().shape(shape).create(name.as_str())?;
                    made.write_raw(&vec![1; 64 * length])
                })?;
            }
        }
        Ok(())
    }
}

/// A data set in which anything is missing, of another type or of another shape is refused; else all of it is as it says.
///
/// Damaged bytes of a file are no target: libhdf5 1.10.8 itself reads beyond its memory on them (`H5HG_read`).
pub(crate) fn data_set(bytes: &[u8]) {
    let Ok(set) = Set::arbitrary(&mut Unstructured::new(bytes)) else { return };
    let path = place("set.h5");
    // What the library does not write, it is not asked to read.
    if set.write(&path).is_ok() {
        read_all(&path);
    }
}
