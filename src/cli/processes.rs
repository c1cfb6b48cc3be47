//! This process and the engine's own, as the kernel's `/proc` tells of them: who they are, and what they hold.

use std::path::{Path, PathBuf};

/// The name of an engine's process.
const ENGINE: &str = "polyp-engine";

/// What a process holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Footprint {
    /// Memory that it has in RAM (`VmRSS`), in KiB. What it shares with others counts in each of them.
    pub(super) rss_kib: u64,
    /// Open file descriptors.
    pub(super) descriptors: u64,
    /// Threads.
    pub(super) threads: u64,
}

impl Footprint {
    /// Of this process.
    pub(super) fn own() -> Result<Self, String> {
        Self::read(Path::new("/proc/self"))
    }

    /// Of all the engine's processes together; all zero where it has none. One that ends meanwhile counts no more.
    pub(super) fn engines() -> Result<Self, String> {
        let each = engines()?.into_iter().filter_map(|process| Self::read(&folder(process)).ok());
        Ok(each.fold(Self::default(), |all, one| Self {
            rss_kib: all.rss_kib + one.rss_kib,
            descriptors: all.descriptors + one.descriptors,
            threads: all.threads + one.threads,
        }))
    }

    fn read(folder: &Path) -> Result<Self, String> {
        let status = folder.join("status");
        let text = std::fs::read_to_string(&status).map_err(failed(&status))?;
        let number = |field: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
            let word = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            word.ok_or_else(|| format!("{}: expected a number after {field}, found none", status.display()))
        };
        let open = folder.join("fd");
        let descriptors = std::fs::read_dir(&open).map_err(failed(&open))?.count();
        Ok(Self { rss_kib: number("VmRSS")?, descriptors: descriptors as u64, threads: number("Threads")? })
    }
}

/// The engine's processes that this one has started, the oldest first: that is the one that runs frames.
pub(super) fn engines() -> Result<Vec<u32>, String> {
    let tasks = Path::new("/proc/self/task");
    let threads = std::fs::read_dir(tasks).map_err(failed(tasks))?;
    let lists =
        threads.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let mut engines = Vec::new();
    for list in lists {
        let children = list.split_whitespace().filter_map(|number| number.parse().ok());
        engines.extend(children.filter(|process| is_engine(*process)));
    }
    engines.sort_unstable();
    Ok(engines)
}

fn is_engine(process: u32) -> bool {
    std::fs::read_to_string(folder(process).join("comm")).is_ok_and(|name| name.trim() == ENGINE)
}

fn folder(process: u32) -> PathBuf {
    Path::new("/proc").join(process.to_string())
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> String {
    move |error| format!("{} can not be read: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_holds_grows_with_what_it_takes() {
        let before = Footprint::own().unwrap();
        let file = std::fs::File::open("/proc/self/status").unwrap();
        let memory = std::hint::black_box(vec![1_u8; 64 << 20]);
        let after = Footprint::own().unwrap();
        assert!(after.rss_kib >= before.rss_kib + (48 << 10), "{before:?} {after:?}");
        // Other tests open and close files meanwhile.
        assert!(after.descriptors > 3 && after.threads >= 1, "{after:?}");
        drop((file, memory));
    }

    #[test]
    fn a_test_has_no_engine() {
        assert!(engines().unwrap().is_empty());
        assert_eq!(Footprint::engines().unwrap(), Footprint::default());
    }
}
