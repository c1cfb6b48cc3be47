//! Where sessions are put: their names, what they say of themselves, and the room that is left.

use std::path::{Path, PathBuf};

use polyp::session::{About, Clock, FORMAT, Software, VERSION};

/// A folder in `record` that is not there yet, named by the time (UTC).
pub(super) fn place(record: &Path, unix_ns: u64) -> PathBuf {
    let name = written(unix_ns, "%Y-%m-%dT%H-%M-%SZ");
    let numbered = |count: u32| if count == 1 { name.clone() } else { format!("{name}-{count}") };
    let places = (1..).map(|count| record.join(numbered(count)));
    places.into_iter().find(|place| !place.exists()).unwrap_or_else(|| record.join(name.clone()))
}

/// Nanoseconds since 1970 by the wall clock.
pub(super) fn unix_ns() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map(crate::meta::nanoseconds).unwrap_or(0)
}

fn written(unix_ns: u64, format: &str) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(unix_ns)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    time.strftime(format).to_string()
}

/// What a session says of itself whose first frame came at these times.
pub(super) fn about(
    clock: &str,
    running_ns: u64,
    unix_ns: u64,
    video_encoder: &str,
    mask_encoder: &str,
) -> About {
    About {
        format: FORMAT.to_owned(),
        version: VERSION,
        began: written(unix_ns, "%Y-%m-%dT%H:%M:%S.%3fZ"),
        clock: Clock { name: clock.to_owned(), running_ns, unix_ns },
        software: Software {
            polyp: env!("CARGO_PKG_VERSION").to_owned(),
            gstreamer: gst::version_string().to_string(),
            video_encoder: video_encoder.to_owned(),
            mask_encoder: mask_encoder.to_owned(),
        },
    }
}

/// Bytes that the disk of `folder` has left for us; `None` where that is not known.
pub(super) fn free(folder: &Path) -> Option<u64> {
    // It may not be there yet.
    let place = folder.ancestors().find(|place| place.exists()).filter(|place| !place.as_os_str().is_empty());
    let found = rustix::fs::statvfs(place.unwrap_or(Path::new("."))).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_named_by_their_time_and_never_twice() {
        let folder = tempfile::tempdir().unwrap();
        let first = place(folder.path(), 1_764_417_600_123_000_000);
        assert_eq!(first, folder.path().join("2025-11-29T12-00-00Z"));
        std::fs::create_dir(&first).unwrap();
        assert_eq!(
            place(folder.path(), 1_764_417_600_500_000_000),
            folder.path().join("2025-11-29T12-00-00Z-2")
        );
        let about = about("clock", 5, 1_764_417_600_123_456_789, "a", "b");
        assert_eq!(about.began, "2025-11-29T12:00:00.123Z");
        assert!(free(&folder.path().join("not/there")).unwrap() > 0);
    }
}
