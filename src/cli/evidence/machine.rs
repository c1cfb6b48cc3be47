//! What it was measured on, as the system tells it.

use std::fs;

use serde_json::{Value, json};

/// Processor, memory, system, and how busy it was before.
pub(super) fn machine() -> Value {
    let field = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let whole = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    json!({
        "processor": field("/proc/cpuinfo", "model name"),
        "cores": std::thread::available_parallelism().ok().map(usize::from),
        "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": whole("/proc/sys/kernel/osrelease"),
        "load_before": whole("/proc/loadavg"),
    })
}
