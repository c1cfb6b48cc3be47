//! Every key, once: what `docs/CONFIG.md` shows and `polyp check --keys` prints.

/// A key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The section it stands in.
    pub section: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The unit of its value, or what kind of text it is.
    pub unit: &'static str,
    /// What it may be.
    pub range: &'static str,
    /// What it is when the key is missing.
    pub default: &'static str,
    /// What it does.
    pub help: &'static str,
}

macro_rules! keys {
    ($($section:ident { $($name:ident: $unit:literal, $range:literal, $default:literal, $help:literal;)+ })+) => {
        /// Every key, in the order of the file.
        pub const KEYS: &[Key] = &[$($(Key {
            section: stringify!($section),
            name: stringify!($name),
            unit: $unit,
            range: $range,
            default: $default,
            help: $help,
        },)+)+];
    };
}

keys! {
    source {
        kind: "name", "`file`, `v4l2`, `decklink`, `test`, `demo`", "none: it must be given",
            "where the picture comes from; `test` is colour bars, `demo` the animated stills";
        path: "path", "a video file for `file`, a folder of stills for `demo`", "for `demo`: the tool's own stills",
            "what is played";
        device: "path or number", "a device file for `v4l2`, 0 to 15 for `decklink`", "`\"/dev/video0\"`, `0`",
            "which capture device";
        mode: "name", "GStreamer's name of a video mode, as `1080p30`, or `auto`", "`\"auto\"`",
            "the signal that a DeckLink card is to expect; `auto` follows it";
        size: "px", "`720p`, `1080p`, `2160p` or WIDTHxHEIGHT, sides even, 64 to 8192",
            "`v4l2`: what the device offers; `test`, `demo`: `\"1080p\"`", "the frame's size";
        framerate: "frames per second", "1 to 240, as `\"30\"` or `\"30000/1001\"`",
            "`v4l2`: what the device offers; `test`, `demo`: `\"30\"`", "how many frames come";
    }
    segment {
        engine: "path", "an engine's folder", "none: it must be given", "the network, made ready to run";
        public_key: "text", "the second line of a `minisign.pub`", "none: no signature is asked for",
            "whose signature `manifest.json.minisig` an engine has to have; any other engine is refused";
        prompt: "text", "not empty", "what the engine was made for",
            "what to look for; another prompt than the engine's own needs its text encoder";
        backend: "name", "a backend's name, as `openvino`", "the element's own choice",
            "the library that runs the engine; a missing one is refused, and replaced only where `fallback` says so";
        fallback: "names", "backends' names, each once and none that is `backend`", "`[]`: none",
            "what runs the engine where `backend` is missing or can not be opened or prepared, in this order; a warning says which one runs and why";
        precision: "name", "`auto`, `f32`, `f16`, `bf16`, `int8`", "`\"auto\"`", "the numbers that the network computes with";
        threads: "threads", "0 to 64", "`0`: left to the backend", "CPU threads that the network may use";
        isolation: "name", "`thread`, `process`", "`\"thread\"`",
            "where the network runs: in a thread of the pipeline, or in a process of its own with another in reserve, so that a crash, a stop or a hang of it never reaches the picture";
        mode: "name", "`live`, `locked`", "`\"live\"`",
            "`live`: the picture never waits, and the newest mask is shown with its age; `locked`: the picture waits for the mask of this very frame";
        latency_budget: "duration", "`\"1ms\"` to `\"1s\"`", "`\"33ms\"`",
            "how long the picture waits at most in `locked`; it is declared as latency";
        max_mask_age: "duration", "`\"0ms\"` to `\"1s\"`", "`\"120ms\"`", "how old a mask may be and still be shown";
        roi: "px", "`auto`, `whole` or WIDTHxHEIGHT+X+Y", "`\"auto\"`",
            "the part of the frame that the network sees; `auto` finds the endoscope's picture";
        motion_compensation: "yes or no", "`true`, `false`", "`true`",
            "whether masks are moved along with the picture in `live`; one whose motion can not be measured is not shown";
        smoothing: "share", "0 to 0.9", "`0`",
            "how much of the masks before stays in a new one in `live`: less flicker, and changes of mind come later";
        alarm: "rule", "`off`, `on` or K/N/R", "`\"off\"`",
            "an alarm that a polyp is in view: K of the N newest masks raise it, R or fewer end it; `on` is 6/8/2";
        alarm_area: "share", "0 to 1", "`0.01`", "how much of what the network sees a mask has to cover to count for the alarm";
    }
    overlay {
        style: "name", "a style's name (`gst-inspect-1.0 polypoverlay` lists them)", "the first in that list",
            "how the mask is painted";
        threshold: "probability", "above 0 and below 1", "`0.5`", "where the mask's edge lies";
        levels: "probabilities", "at most 8, rising, each above 0 and below 1", "`[0.25, 0.5, 0.75, 0.95]`",
            "where contours of uncertainty are drawn";
        opacity: "share", "0 to 1", "`0.3`", "how firmly areas are tinted; lines are always firm";
        badge: "yes or no", "`true`, `false`", "`true`",
            "whether the state stands in the corner while all is well; trouble is always shown";
        line_px: "px at a frame height of 1080", "0.5 to 16", "`2.5`", "width of the main line";
    }
    record {
        path: "path", "a folder", "none: without the section, nothing is recorded",
            "where sessions are recorded, each in a folder of its own, named by the time (UTC) at which it began";
        codec: "name", "`h264`, `ffv1`", "`\"h264\"`",
            "how the picture is kept; `ffv1` keeps every bit of it and takes many times the room. Masks are lossless always";
        segment_time: "duration", "`\"1s\"` to `\"86400s\"`", "`\"600s\"`", "after how long the next file is begun";
        keep_free_gb: "gigabytes", "0 to 100000", "`2`",
            "the recording ends, with a message, when the disk has less left; the picture goes on";
    }
    budget {
        picture: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "all of the elements' time: what the picture is late by";
        segment: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "all of the segmenter's time";
        copy: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "copying the region for the network";
        wait: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "waiting for the mask of this very frame";
        motion: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "measuring how the picture moved";
        record: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "handing a copy to the recorder";
        paint: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "painting";
        age: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "the shown mask's age";
        queue: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "beside the picture: until the network was free";
        input: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "beside the picture: making the network's input";
        infer: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "beside the picture: the network";
        decode: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "beside the picture: making probabilities of logits";
        sink: "duration", "`\"1us\"` to `\"1s\"`", "none: no limit",
            "from a frame's coming in until the sink has shown it, where the sink says so";
        missed: "name", "`announce`, `skip`, `lower-rate`, `shrink-input`", "`\"announce\"`",
            "what happens when three frames of 32 are over a limit in the picture's way: a message says so; besides, with `skip` the network rests for a second or more and frames pass without masks, with `lower-rate` it is asked about every second, fourth or eighth frame for a while, with `shrink-input` the smaller engine is asked in its place";
        smaller_engine: "path", "an engine's folder", "none",
            "for `shrink-input`: an engine with a smaller input than `segment.engine` has, as `polyp-engine resize` makes one";
    }
    metrics {
        port: "port", "1024 to 65535", "none: without the section, nothing is served",
            "where this machine (127.0.0.1 alone) serves figures: `/metrics` for Prometheus, `/stats.json` for `polyp top`, `/trace.json` for Perfetto";
    }
    sink {
        kind: "name", "`window`, `file`, `none`", "none: it must be given", "where the painted picture goes";
        path: "path", "a file that ends in `.mkv`, for `file`", "none", "what is written; an older file is replaced";
    }
}

/// The keys as a table in Markdown.
pub fn table() -> String {
    let mut text = String::from("| key | unit | range | default | meaning |\n|---|---|---|---|---|\n");
    for Key { section, name, unit, range, default, help } in KEYS {
        text += &format!("| `{section}.{name}` | {unit} | {range} | {default} | {help} |\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::Rule;

    #[test]
    fn the_document_shows_this_very_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIG.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, rest) = text.split_once("<!-- keys -->\n").unwrap();
        let (found, _) = rest.split_once("<!-- /keys -->").unwrap();
        let rule = format!("`on` is {}", Rule::default());
        assert!(table().contains(&rule), "{rule}");
        assert!(found == table(), "docs/CONFIG.md should hold between its markers:\n{}", table());
    }
}
