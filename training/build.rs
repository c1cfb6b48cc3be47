//! Lets one binary find libtorch here and on a GPU machine: see docs/ARCHITECTURE.md, "libtorch".

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    }
    // Without this the linker drops libtorch.so, and with it CUDA on machines that have it.
    println!("cargo:rustc-link-arg=-Wl,--no-as-needed,-ltorch,--as-needed");
}
