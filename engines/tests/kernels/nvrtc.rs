//! The kernels as NVIDIA's own compiler makes them: no card and no driver is needed for that.

use std::ffi::{CStr, CString};
use std::path::Path;
use std::sync::Mutex;

use cudarc::nvrtc::{result, sys};
use polyp_engine::cuda::kernels::{CARD_OPTIONS, NAMES, PTX, card_source};
use polyp_engine::deps::{self, Dependency};

/// The version whose PTX is shipped: drivers from R550 on read it.
const VERSION: (i32, i32) = (12, 4);
/// Turing, Ampere, Ada, Hopper.
const CARDS: [&str; 4] = ["sm_75", "sm_86", "sm_89", "sm_90"];

/// The library keeps one compilation's state at a time apart, but says what it thinks on one stream.
static ALONE: Mutex<()> = Mutex::new(());

/// Makes PTX (for `compute_XX`) or machine code (for `sm_XX`) of the kernels, and gives the compiler's words with it.
fn compile(for_what: &str) -> (Vec<u8>, String) {
    let _alone = ALONE.lock().unwrap();
    let library = deps::find(Dependency::Nvrtc).unwrap();
    // SAFETY: opening it runs its initialisers. The binding looks for it by name alone, which finds one that is loaded.
    std::mem::forget(unsafe { libloading::Library::new(&library) }.unwrap());
    let version = {
        let (mut major, mut minor) = (0, 0);
        // SAFETY: it writes two numbers.
        unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) }.result().unwrap();
        (major, minor)
    };
    assert_eq!(version, VERSION, "{}", library.display());
    let source = CString::new(card_source()).unwrap();
    let program = result::create_program(&source, Some(c"kernels.cu")).unwrap();
    let architecture = format!("--gpu-architecture={for_what}");
    let mut options = vec![architecture.as_str(), "--std=c++11", "--ptxas-options=--verbose"];
    options.extend(CARD_OPTIONS);
    // SAFETY: the program was just made.
    let compiled = unsafe { result::compile_program(program, &options) };
    // SAFETY: as above.
    let log = unsafe { result::get_program_log(program) }.unwrap();
    // SAFETY: the log ends in a zero byte.
    let log = unsafe { CStr::from_ptr(log.as_ptr()) }.to_string_lossy().into_owned();
    compiled.unwrap_or_else(|error| panic!("{error:?}: {log}"));
    let code = if for_what.starts_with("sm_") {
        let mut size = 0;
        // SAFETY: it writes one number.
        unsafe { sys::nvrtcGetCUBINSize(program, &raw mut size) }.result().unwrap();
        let mut code = vec![0_u8; size];
        // SAFETY: it writes that many bytes.
        unsafe { sys::nvrtcGetCUBIN(program, code.as_mut_ptr().cast()) }.result().unwrap();
        code
    } else {
        // SAFETY: the program was compiled.
        let text = unsafe { result::get_ptx(program) }.unwrap();
        text.into_iter().map(|byte| byte as u8).take_while(|byte| *byte != 0).collect()
    };
    // SAFETY: ours, once.
    unsafe { result::destroy_program(program) }.unwrap();
    (code, log)
}

#[test]
fn the_shipped_ptx_is_of_todays_source() {
    let (code, _) = compile("compute_75");
    let ptx = String::from_utf8(code).unwrap();
    assert!(ptx.contains(".version 8.4") && ptx.contains(".target sm_75"));
    for name in NAMES {
        assert!(ptx.contains(&format!(".entry {name}(")), "{name}");
    }
    // A fused product and sum would be one rounding where the twins have two.
    assert!(!ptx.contains("fma.rn"), "a product and a sum were fused");
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cuda/kernels.ptx");
    if ptx != PTX {
        // For whoever changed a kernel: the next build has it.
        std::fs::write(&place, &ptx).unwrap();
        panic!(
            "{}: expected the PTX of today's kernels, found another; it was written anew: build and test again",
            place.display()
        );
    }
}

#[test]
fn every_card_gets_machine_code_without_spills() {
    for card in CARDS {
        let (code, log) = compile(card);
        // An ELF file for CUDA.
        assert_eq!((code.get(..4), code.get(18..20)), (Some(&b"\x7fELF"[..]), Some(&[190, 0][..])), "{card}");
        for name in NAMES {
            let told =
                log.split("Compiling entry function '").find(|part| part.starts_with(&format!("{name}'")));
            let told = told.unwrap_or_else(|| panic!("{card}: nothing is said of {name}: {log}"));
            assert!(told.contains("0 bytes spill stores, 0 bytes spill loads"), "{card}: {told}");
        }
    }
}
