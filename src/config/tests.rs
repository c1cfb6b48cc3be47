use super::draft::Draft;
use super::*;
use crate::trace::Stage;

const LEAST: &str = "[source]\nkind = \"test\"\n[segment]\nengine = \"lite\"\n[sink]\nkind = \"none\"\n";

fn check(text: &str) -> Result<Config, Vec<Broken>> {
    Draft::parse(text).unwrap().check(Path::new("carts"))
}

fn broken(text: &str) -> Vec<String> {
    check(text).unwrap_err().into_iter().map(|rule| rule.key).collect()
}

#[test]
fn the_least_configuration_takes_the_documented_defaults() {
    let config = check(LEAST).unwrap();
    let Source::Test { size, framerate } = config.source else { panic!("{config:?}") };
    assert_eq!((size, framerate.to_string().as_str()), (Size::new(1920, 1080), "30"));
    let segment = &config.segment;
    assert_eq!(segment.engine, Path::new("carts/lite"));
    assert_eq!((segment.mode, segment.precision, segment.threads), (Mode::Live, Precision::Auto, 0));
    assert_eq!(segment.latency_budget, Duration::from_millis(33));
    assert_eq!(segment.max_mask_age, Duration::from_millis(120));
    assert_eq!(segment.roi, Roi::Auto);
    assert!(segment.fallback.is_empty(), "nothing replaces a backend unless the file says so");
    assert_eq!(config.overlay.settings, Settings::default());
}

#[test]
fn every_broken_rule_is_reported_at_once() {
    let found = broken(
        "[source]\nkind = \"v4l2\"\ndevice = 3\nmode = \"1080p30\"\nframerate = \"fast\"\n\
         [segment]\nthreads = 99\nmode = \"best\"\nlatency_budget = \"5s\"\nmax_mask_age = \"120\"\nroi = \"left\"\nsmoothing = 1\nalarm = \"often\"\nalarm_area = 1.5\n\
         [overlay]\nstyle = \"glow\"\nthreshold = 1.5\nlevels = [0.9, 0.1]\nopacity = -0.1\nline_px = 0.0\n\
         [sink]\nkind = \"window\"\npath = \"out.mkv\"\n",
    );
    let expected = [
        "source.mode",
        "source.framerate",
        "source.device",
        "segment.engine",
        "segment.threads",
        "segment.mode",
        "segment.latency_budget",
        "segment.max_mask_age",
        "segment.roi",
        "segment.smoothing",
        "segment.alarm",
        "segment.alarm_area",
        "overlay.style",
        "overlay.threshold",
        "overlay.levels",
        "overlay.opacity",
        "overlay.line_px",
        "sink.path",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_broken_rule_names_key_value_bounds_and_reason() {
    let text = LEAST.replace("engine", "threads = -1\nengine");
    let rule = check(&text).unwrap_err().remove(0).to_string();
    assert!(rule.starts_with("segment.threads = -1: expected 0 to 64, because "), "{rule}");
}

#[test]
fn a_fallback_names_other_backends_each_once() {
    let with = |keys: &str| check(&LEAST.replace("engine", &format!("{keys}\nengine")));
    let config = with("backend = \"tensorrt-rtx\"\nfallback = [\"openvino\", \"ort\"]").unwrap();
    assert_eq!(config.segment.fallback, ["openvino", "ort"]);
    assert_eq!(written(&config).segment, Segment { engine: "carts/lite".into(), ..config.segment });
    let wrong = [
        ("backend = \"ort\"\nfallback = [\"openvino\", \"ort\"]", "\"ort\": expected other backends than"),
        ("fallback = [\"ort\", \"openvino\", \"ort\"]", "\"ort\": expected each backend once"),
        ("fallback = [\" \"]", "\" \": expected backends' names"),
    ];
    for (keys, words) in wrong {
        let rules = with(keys).unwrap_err();
        assert_eq!(rules.len(), 1, "{rules:?}");
        let rule = rules[0].to_string();
        assert!(rule.starts_with(&format!("segment.fallback = {words}")), "{rule}");
    }
    assert!(Draft::parse(&LEAST.replace("engine", "fallback = \"ort\"\nengine")).is_err());
}

#[test]
fn nothing_is_taken_for_granted_in_an_empty_file() {
    assert_eq!(broken(""), ["source.kind", "segment.engine", "sink.kind"]);
}

#[test]
fn keys_of_another_kind_are_refused() {
    assert_eq!(broken(&LEAST.replace("\"test\"", "\"test\"\npath = \"x\"")), ["source.path"]);
    assert_eq!(
        broken(&LEAST.replace("\"test\"", "\"file\"\nsize = \"720p\"")),
        ["source.size", "source.path"]
    );
    assert_eq!(broken(&LEAST.replace("\"none\"", "\"file\"\npath = \"out.mp4\"")), ["sink.path"]);
}

#[test]
fn a_recording_needs_its_folder_and_right_values() {
    let with = |record: &str| format!("{LEAST}\n[record]\n{record}");
    assert_eq!(broken(&with("codec = \"h264\"")), ["record.path"]);
    let wrong = with("path = \"s\"\ncodec = \"vp9\"\nsegment_time = \"1ms\"\nkeep_free_gb = -1");
    assert_eq!(broken(&wrong), ["record.codec", "record.segment_time", "record.keep_free_gb"]);
    let record = check(&with("path = \"s\"")).unwrap().record.unwrap();
    assert_eq!(record, Record::into(Path::new("carts/s").to_owned()));
    assert!(check(LEAST).unwrap().record.is_none());
}

#[test]
fn unknown_keys_and_wrong_types_are_refused_with_their_line() {
    let misspelt = Draft::parse(&LEAST.replace("engine", "engin")).unwrap_err().to_string();
    assert!(misspelt.contains("engin") && misspelt.contains("line 4"), "{misspelt}");
    let typed = Draft::parse(&LEAST.replace("\"lite\"", "7")).unwrap_err().to_string();
    assert!(typed.contains("line 4"), "{typed}");
}

fn written(config: &Config) -> Config {
    let again = Draft::parse(&config.to_toml().unwrap()).unwrap().check(Path::new(""));
    again.unwrap_or_else(|broken| panic!("{broken:?}"))
}

#[test]
fn a_configuration_written_out_is_the_same_configuration() {
    let sources = [
        "kind = \"test\"\nsize = \"1280x720\"",
        "kind = \"file\"\npath = \"a.mkv\"",
        "kind = \"v4l2\"\nsize = \"720p\"\nframerate = \"60000/1001\"",
        "kind = \"decklink\"\ndevice = 2\nmode = \"1080i50\"",
        "kind = \"demo\"\npath = \"stills\"\n[record]\npath = \"s\"\ncodec = \"ffv1\"\nsegment_time = \"90s\"\nkeep_free_gb = 0",
    ];
    for source in sources {
        let text = LEAST.replace("kind = \"test\"", source).replace("\"none\"", "\"file\"\npath = \"o.mkv\"");
        let config = check(&text).unwrap();
        assert_eq!(written(&config), config);
    }
}

/// Section and name of every key that a draft can hold.
fn keys_of(texts: &[&str]) -> std::collections::BTreeSet<(String, String)> {
    let mut keys = std::collections::BTreeSet::new();
    for text in texts {
        let table: toml::Table = check(text).unwrap().to_toml().unwrap().parse().unwrap();
        for (section, values) in table {
            keys.extend(values.as_table().unwrap().keys().map(|name| (section.clone(), name.clone())));
        }
    }
    keys
}

#[test]
fn every_key_is_listed() {
    let full = "[source]\nkind = \"demo\"\npath = \"stills\"\n\
        [segment]\nengine = \"lite\"\npublic_key = \"RWQ\"\nprompt = \"polyp\"\nbackend = \"ort\"\nfallback = [\"openvino\"]\n\
        [record]\npath = \"sessions\"\n[metrics]\nport = 9464\n[sink]\nkind = \"file\"\npath = \"o.mkv\"\n";
    let limits: String = Stage::ALL.iter().map(|stage| format!("{} = \"5ms\"\n", stage.name())).collect();
    let full = &format!("{full}[budget]\nmissed = \"skip\"\nsmaller_engine = \"small\"\n{limits}");
    let decklink = &full.replace("\"demo\"\npath = \"stills\"", "\"decklink\"");
    let listed = KEYS.iter().map(|key| (key.section.to_owned(), key.name.to_owned())).collect();
    assert_eq!(keys_of(&[full, decklink]), listed);
}

#[test]
fn the_committed_configurations_are_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    for name in ["cart.toml", "bench.toml"] {
        if let Err(error) = Config::read(&folder.join(name)) {
            panic!("{error}");
        }
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::read(Path::new("no/such.toml")).unwrap_err().to_string();
    assert!(error.starts_with("no/such.toml can not be read"), "{error}");
}

#[test]
fn a_budget_and_a_port_are_read_and_what_is_wrong_with_them_is_named() {
    let config = check(&format!(
        "{LEAST}[budget]\nmotion = \"1500us\"\nmissed = \"lower-rate\"\n[metrics]\nport = 9464\n"
    ))
    .unwrap();
    assert_eq!(config.limits.budget.to_string(), "motion=1.5ms");
    assert_eq!((config.limits.missed, config.metrics_port), (Missed::LowerRate, Some(9464)));
    assert_eq!((check(LEAST).unwrap().limits, check(LEAST).unwrap().metrics_port), (Limits::default(), None));
    let wrong = "[budget]\npaint = \"2s\"\ncopy = \"3\"\nmissed = \"pray\"\n[metrics]\nport = 80\n";
    let expected = ["budget.copy", "budget.paint", "budget.missed", "metrics.port"];
    assert_eq!(broken(&format!("{LEAST}{wrong}")), expected);
    assert_eq!(broken(&format!("{LEAST}[metrics]\n")), ["metrics.port"]);
    // A smaller engine is needed where it would be asked, and its place is as that of the other.
    let shrink = "[budget]\nmissed = \"shrink-input\"\n";
    assert_eq!(broken(&format!("{LEAST}{shrink}")), ["budget.smaller_engine"]);
    let limits = check(&format!("{LEAST}{shrink}smaller_engine = \"small\"\n")).unwrap().limits;
    assert_eq!((limits.missed, limits.smaller_engine), (Missed::ShrinkInput, Some("carts/small".into())));
}
