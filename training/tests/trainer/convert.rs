//! PyTorch's weight files. The two in tests/golden were written by PyTorch 2.11.0 (torch_files.py there).

use std::path::{Path, PathBuf};

use polyp_training::convert::convert;
use safetensors::{Dtype, SafeTensors};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

const FORMATS: [&str; 2] = ["torch.bin", "torch-legacy.bin"];

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn both_formats_hold_what_was_saved() {
    for format in FORMATS {
        let bytes = convert(&golden(format)).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut names = file.names();
        names.sort_unstable();
        let all = [
            "brain",
            "empty",
            "half",
            "learned",
            "plain",
            "shared.columns",
            "shared.rows",
            "steps",
            "turned",
        ];
        assert_eq!(names, all, "{format}");
        let columns = [2.0, 4.0, 8.0, 10.0, 14.0, 16.0, 20.0, 22.0];
        let rows: Vec<f32> = (6_u8..18).map(f32::from).collect();
        let half = [0x00, 0x38, 0xff, 0xfb];
        for (name, kind, shape, values) in [
            ("plain", Dtype::F32, &[2, 3][..], floats(&[1.5, -2.0, 3.25, 4.0, 5.0, -6.5])),
            ("turned", Dtype::F32, &[3, 2], floats(&[0.0, 3.0, 1.0, 4.0, 2.0, 5.0])),
            ("shared.rows", Dtype::F32, &[2, 6], floats(&rows)),
            ("shared.columns", Dtype::F32, &[4, 2], floats(&columns)),
            ("half", Dtype::F16, &[2], half.to_vec()),
            ("brain", Dtype::BF16, &[2], vec![0x80, 0x3f, 0x40, 0xc0]),
            ("steps", Dtype::I64, &[], 12_345_678_901_i64.to_le_bytes().to_vec()),
            ("empty", Dtype::F32, &[0, 3], Vec::new()),
            ("learned", Dtype::F32, &[1], floats(&[7.0])),
        ] {
            let view = file.tensor(name).unwrap();
            assert_eq!((view.dtype(), view.shape()), (kind, shape), "{format} {name}");
            assert_eq!(view.data(), values, "{format} {name}");
        }
    }
}

#[test]
fn what_is_no_weight_file_is_refused_in_one_sentence() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("in.bin");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let error = convert(&path).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        assert!(
            error.contains("in.bin: (file): expected a PyTorch file of nothing but named tensors, found"),
            "{error}"
        );
        error
    };
    assert!(refused(b"").contains("neither a zip file nor PyTorch's magic number"));
    // A pickle that would run a program if it were unpickled by Python.
    assert!(refused(b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.").contains("magic number"));
    let legacy = std::fs::read(golden(FORMATS[1])).unwrap();
    let place = legacy
        .windows(25)
        .position(|part| part == b"torch._utils\n_rebuild_tens")
        .unwrap_or_else(|| legacy.windows(13).position(|part| part == b"torch._utils\n").unwrap());
    let mut other = legacy.clone();
    other[place..place + 5].copy_from_slice(b"touch");
    assert!(refused(&other).contains("a call of touch._utils._rebuild_tensor_v2, which weights do not need"));
    for whole in FORMATS.map(|format| std::fs::read(golden(format)).unwrap()) {
        for length in (0..whole.len()).step_by(61) {
            refused(&whole[..length]);
        }
        for place in (0..whole.len()).step_by(7) {
            let mut changed = whole.clone();
            changed[place] ^= 1 << (place % 8);
            std::fs::write(&path, changed).unwrap();
            drop(convert(&path));
        }
    }
}
