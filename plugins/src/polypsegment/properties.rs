//! The properties of `polypsegment`.

use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use polyp::alarm::{AREA, Rule};
use polyp::trace::Stage;
use polyp_engine::engine::{BACKENDS, Precision};

use super::choices::{BudgetMissed, Isolation, Mode};
use super::imp::PolypSegment;
use super::settings::{Draft, LATENCY_BUDGET, MOST_SMOOTHING};
use crate::meta::nanoseconds;
use crate::polypoverlay::properties::{enabled_spec, max_mask_age_spec, stats_spec};
use crate::property::{Property, choices, text};

/// The longest wait that can be asked for: a second behind life is no longer live.
const LONGEST_BUDGET: Duration = Duration::from_secs(1);

/// Every property, with its words.
pub(crate) const PROPERTIES: &[Property<PolypSegment>] = &[
    Property {
        spec: || {
            glib::ParamSpecString::builder("engine")
                .nick("Engine folder")
                .blurb("The folder of the engine: manifest.json, model.onnx, prompt.safetensors, memory.safetensors. Every file is verified when the element goes to PAUSED. Without a default: nothing is guessed. While PLAYING, another engine is opened, prepared and warmed up beside the one in force, and takes its place between two frames; no mask of the old one is shown from then on. One that can not be made ready is refused with a warning, and the property names the one in force again. The same holds for backend, precision, threads and isolation")
                .default_value(Some(Draft::default().engine.as_str()))
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().engine.to_value(),
        set: Some(|element, value| element.change(|draft| draft.engine = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecString::builder("public-key")
                .nick("Public key")
                .blurb("Whose engines are opened: those of which minisign signed manifest.json with the secret key to this public one (the second line of minisign.pub), into manifest.json.minisig beside it. Any other is refused. Empty is none: then the files only have to be the ones that the manifest was written for")
                .default_value(Some(Draft::default().public_key.as_str()))
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().public_key.to_value(),
        set: Some(|element, value| element.change(|draft| draft.public_key = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecString::builder("prompt")
                .nick("Prompt")
                .blurb("What is looked for, in words. Empty is the engine's own prompt, which needs no text encoder. While PLAYING, a new prompt is prepared beside the stream and taken up between two frames, one that was in force lately with the very next; masks of the old one are dropped then. One that can not be prepared is refused with a warning, and the property says what is in force")
                .default_value(Some(Draft::default().prompt.as_str()))
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().prompt.to_value(),
        set: Some(|element, value| element.change(|draft| draft.prompt = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecString::builder("text-encoder")
                .nick("Text encoder folder")
                .blurb("The folder of the text encoder (config.json, model.safetensors, tokenizer.json or vocab.txt) for prompts that are not the engine's own. Empty is the one that POLYP_TEXT_ENCODER names or the set-up fetched")
                .default_value(Some(Draft::default().text_encoder.as_str()))
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().text_encoder.to_value(),
        set: Some(|element, value| element.change(|draft| draft.text_encoder = text(value))),
    },
    Property {
        spec: || {
            let words = choices(BACKENDS.iter().map(|backend| (backend.name, backend.help)));
            glib::ParamSpecString::builder("backend")
                .nick("Backend")
                .blurb(&format!("What runs the network: {words}. None stands in for another unless property fallback says so. May change while PLAYING, as engine"))
                .default_value(Some(Draft::default().backend.as_str()))
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().backend.to_value(),
        set: Some(|element, value| element.change(|draft| draft.backend = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecString::builder("fallback")
                .nick("Fallback")
                .blurb("Backends that run the network instead, apart by commas and in this order, where the one in property backend is missing or can not be opened or prepared. Which one runs and why is said in a warning, and stats has it in backend. Empty is none: then a missing backend is refused. Looked at whenever an engine is opened")
                .default_value(Some(Draft::default().fallback.as_str()))
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().fallback.to_value(),
        set: Some(|element, value| element.change(|draft| draft.fallback = text(value))),
    },
    Property {
        spec: || {
            let names = Precision::ALL.map(Precision::name).join(", ");
            glib::ParamSpecString::builder("precision")
                .nick("Precision")
                .blurb(&format!("The numbers that the network is computed in, one of: {names}. auto is the fastest that machine and backend have, and stats says which that is. May change while PLAYING, as engine"))
                .default_value(Some(Draft::default().precision.as_str()))
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().precision.to_value(),
        set: Some(|element, value| element.change(|draft| draft.precision = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecUInt::builder("threads")
                .nick("Threads")
                .blurb("CPU threads that work on one frame; 0 for as many as the machine has cores. May change while PLAYING, as engine")
                .maximum(1024)
                .default_value(Draft::default().threads)
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().threads.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.threads = value.get().unwrap_or(draft.threads));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecEnum::builder_with_default::<Isolation>("isolation", Draft::default().isolation)
                .nick("Isolation")
                .blurb("Where the network runs. process needs the tool polyp-engine, and twice the memory. May change while PLAYING, as engine")
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().isolation.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.isolation = value.get().unwrap_or(draft.isolation));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecBoolean::builder("share")
                .nick("Share the engine")
                .blurb("Whether elements of this process that are set to the same engine, backend, precision, threads and isolation share one: each with its own prompt and its own masks, the most urgent frame first, in the memory of one. Looked at whenever an engine is opened")
                .default_value(Draft::default().share)
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().share.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.share = value.get().unwrap_or(draft.share));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecUInt::builder("compare-frames")
                .nick("Compare frames")
                .blurb("Frames on which an engine that is to take another's place while PLAYING is compared with it first: it is given frames that the old one was asked about, when it is idle, and an element message polyp-comparison says how far the masks agree and how long each took. The picture does not wait for it, but prepares those frames twice. 0 is no comparison")
                .maximum(100_000)
                .default_value(Draft::default().compare_frames)
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().compare_frames.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.compare_frames = value.get().unwrap_or(draft.compare_frames));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecEnum::builder_with_default::<Mode>("mode", Draft::default().mode)
                .nick("Mode")
                .blurb("Whether the picture waits for its mask. A change in PLAYING changes the pipeline's latency")
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().mode.to_value(),
        set: Some(|element, value| element.change(|draft| draft.mode = value.get().unwrap_or(draft.mode))),
    },
    Property {
        spec: || {
            glib::ParamSpecUInt64::builder("latency-budget")
                .nick("Latency budget")
                .blurb("The longest that a picture waits for its mask in locked mode, in nanoseconds from when it came in (33000000 is 33 ms). It is the latency that the element reports. Without effect in live mode")
                .minimum(1_000_000)
                .maximum(nanoseconds(LONGEST_BUDGET))
                .default_value(nanoseconds(LATENCY_BUDGET))
                .mutable_playing()
                .build()
        },
        get: |element| nanoseconds(element.draft().latency_budget).to_value(),
        set: Some(|element, value| {
            let budget = value.get().map(Duration::from_nanos);
            element.change(|draft| draft.latency_budget = budget.unwrap_or(draft.latency_budget));
        }),
    },
    Property {
        spec: max_mask_age_spec,
        get: |element| nanoseconds(element.draft().max_mask_age).to_value(),
        set: Some(|element, value| {
            let limit = value.get().map(Duration::from_nanos);
            element.change(|draft| draft.max_mask_age = limit.unwrap_or(draft.max_mask_age));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecString::builder("budget")
                .nick("Budget")
                .blurb(&format!("What each stage of a frame's way may take, as picture=5.75ms,motion=2ms: {}. Frames over it are named in the meta and counted in stats, and budget-missed says what else happens. Empty is no budget", Stage::ALL.map(|stage| format!("{} ({})", stage.name(), stage.words())).join(", ")))
                .default_value(Some(Draft::default().budget.as_str()))
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().budget.to_value(),
        set: Some(|element, value| element.change(|draft| draft.budget = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecEnum::builder_with_default::<BudgetMissed>("budget-missed", Draft::default().budget_missed)
                .nick("Budget missed")
                .blurb("What happens when three frames of 32 are over the budget in the picture's way. An element message polyp-budget says so in any case")
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().budget_missed.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.budget_missed = value.get().unwrap_or(draft.budget_missed));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecString::builder("smaller-engine")
                .nick("Smaller engine")
                .blurb("The folder of an engine with a smaller input (polyp-engine resize makes one), which is asked in the other's place for a while where the budget is missed and budget-missed is shrink-input. It is made ready beside the picture at the start, and both stay in memory. Empty is none")
                .default_value(Some(Draft::default().smaller_engine.as_str()))
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().smaller_engine.to_value(),
        set: Some(|element, value| element.change(|draft| draft.smaller_engine = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecUInt::builder("metrics-port")
                .nick("Metrics port")
                .blurb("A port of this machine (127.0.0.1) on which the figures are served while the element is not in NULL or READY: /metrics for Prometheus, /stats.json, and /trace.json for Perfetto. 0 is none")
                .maximum(65_535)
                .default_value(Draft::default().metrics_port)
                .mutable_ready()
                .build()
        },
        get: |element| element.draft().metrics_port.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.metrics_port = value.get().unwrap_or(draft.metrics_port));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecUInt64::builder("stats-interval")
                .nick("Statistics interval")
                .blurb("How often the property stats is posted as an element message, in nanoseconds of the stream's time (1000000000 is a second); 0 is never")
                .default_value(nanoseconds(Draft::default().stats_interval))
                .mutable_playing()
                .build()
        },
        get: |element| nanoseconds(element.draft().stats_interval).to_value(),
        set: Some(|element, value| {
            let interval = value.get().map(Duration::from_nanos);
            element.change(|draft| draft.stats_interval = interval.unwrap_or(draft.stats_interval));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecString::builder("roi")
                .nick("Region of interest")
                .blurb("The part of the frame that the network sees: whole, auto (the endoscope's picture, found in the frames) or WIDTHxHEIGHT+X+Y in pixels, as 640x480+10+20")
                .default_value(Some(Draft::default().roi.as_str()))
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().roi.to_value(),
        set: Some(|element, value| element.change(|draft| draft.roi = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecUInt::builder("frozen-after")
                .nick("Frozen after")
                .blurb("How often a picture may come again, bit for bit, before its source counts as dead: from then on no mask is shown, the badge says FROZEN and a warning is posted. 0 is never, for still pictures")
                .default_value(Draft::default().frozen_after)
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().frozen_after.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.frozen_after = value.get().unwrap_or(draft.frozen_after));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecBoolean::builder("motion-compensation")
                .nick("Motion compensation")
                .blurb("Whether masks are moved along with the picture in mode=live: the motion since the mask's own frame is measured in the pictures, and a mask whose motion can not be measured (another scene, a dark or blurred picture) is not shown. When false, and for frames on a card, masks stay where they were")
                .default_value(Draft::default().motion_compensation)
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().motion_compensation.to_value(),
        set: Some(|element, value| {
            element
                .change(|draft| draft.motion_compensation = value.get().unwrap_or(draft.motion_compensation));
        }),
    },
    Property {
        spec: || {
            glib::ParamSpecFloat::builder("smoothing")
                .nick("Smoothing")
                .blurb("How much of what the masks before said stays in a new one, without unit: 0 is nothing. It lowers flicker, adds no delay to the picture, and makes the network's changes of mind come later. Needs motion-compensation and mode=live")
                .minimum(0.0)
                .maximum(MOST_SMOOTHING)
                .default_value(Draft::default().smoothing)
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().smoothing.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.smoothing = value.get().unwrap_or(draft.smoothing));
        }),
    },
    Property {
        spec: || {
            let on = Rule::default();
            glib::ParamSpecString::builder("alarm")
                .nick("Alarm")
                .blurb(&format!("Whether an alarm says that a polyp is in view: off, K/N/R (K of the N newest masks that have alarm-area raise it, R or fewer end it) or on, which is {on}. Each answer of the network counts once. Frames have it in the meta, and an element message polyp-alarm says when it is raised and when it is over. A frame without a mask ends it"))
                .default_value(Some(Draft::default().alarm.as_str()))
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().alarm.to_value(),
        set: Some(|element, value| element.change(|draft| draft.alarm = text(value))),
    },
    Property {
        spec: || {
            glib::ParamSpecFloat::builder("alarm-area")
                .nick("Alarm area")
                .blurb("The share of what the network sees that a mask has to cover to count for the alarm, at a probability of 0.5 or more; 0 is anything at all")
                .minimum(0.0)
                .maximum(1.0)
                .default_value(AREA)
                .mutable_playing()
                .build()
        },
        get: |element| element.draft().alarm_area.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.alarm_area = value.get().unwrap_or(draft.alarm_area));
        }),
    },
    Property {
        spec: enabled_spec,
        get: |element| element.draft().enabled.to_value(),
        set: Some(|element, value| {
            element.change(|draft| draft.enabled = value.get().unwrap_or(draft.enabled));
        }),
    },
    Property { spec: stats_spec, get: |element| element.stats().to_value(), set: None },
];
