//! With the feature `libfuzzer`, as scripts/fuzz.sh builds it: libFuzzer, on the target that `POLYP_FUZZ_TARGET` names. Without: runs one
//! target on files, to see why it failed.
#![cfg_attr(feature = "libfuzzer", no_main)]

#[cfg(feature = "libfuzzer")]
#[allow(clippy::print_stderr, reason = "a tool's own words")]
mod libfuzzer {
    use std::sync::OnceLock;

    use polyp_fuzz::{Target, target};

    static TARGET: OnceLock<Target> = OnceLock::new();

    libfuzzer_sys::fuzz_target!(
        init: {
            let name = std::env::var("POLYP_FUZZ_TARGET").unwrap_or_default();
            match target(&name) {
                Some(target) => drop(TARGET.set(target)),
                None => {
                    eprintln!("polyp-fuzz: POLYP_FUZZ_TARGET: expected the name of a target, found {name:?}");
                    std::process::exit(2);
                }
            }
        },
        |bytes: &[u8]| {
            if let Some(target) = TARGET.get() {
                (target.run)(bytes);
            }
        }
    );
}

#[cfg(not(feature = "libfuzzer"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let names = || polyp_fuzz::TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    let target = arguments.next().and_then(|name| polyp_fuzz::target(&name));
    let target = target.ok_or_else(|| format!("usage: polyp-fuzz TARGET FILE...; targets: {}", names()))?;
    for file in arguments {
        (target.run)(&std::fs::read(&file).map_err(|error| format!("{file}: {error}"))?);
    }
    Ok(())
}
