//! Lets the tests and the tool find libtorch, which the trainer links: see docs/ARCHITECTURE.md, "libtorch".

fn main() {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let Ok(folder) = std::env::var("LIBTORCH") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}/lib");
    }
}
