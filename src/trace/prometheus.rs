//! A report in Prometheus' text format, version 0.0.4.

use std::fmt::Write;

use super::report::{PERCENTILES, Report};

/// The stages as a summary (quantiles in seconds) with how many were over the budget, then `counts` as counters: what each is called
/// (its label is `state`), with its value.
pub fn exposition(report: &Report, counts: &[(String, u64)]) -> String {
    let seconds = |ns: u64| ns as f64 / 1e9;
    let mut text = String::from(
        "# HELP polyp_stage_seconds Time of a frame's stages.\n# TYPE polyp_stage_seconds summary\n",
    );
    // Writing to a string does not fail.
    for stage in &report.stages {
        let name = &stage.stage;
        for ((_, share, _), time) in PERCENTILES.iter().zip(stage.percentiles_ns) {
            if let Some(time) = time {
                writeln!(
                    text,
                    r#"polyp_stage_seconds{{stage="{name}",quantile="{share}"}} {}"#,
                    seconds(time)
                )
                .ok();
            }
        }
        writeln!(text, r#"polyp_stage_seconds_sum{{stage="{name}"}} {}"#, seconds(stage.sum_ns)).ok();
        writeln!(text, r#"polyp_stage_seconds_count{{stage="{name}"}} {}"#, stage.count).ok();
    }
    text += "# HELP polyp_stage_longest_seconds The longest time of each stage.\n# TYPE polyp_stage_longest_seconds gauge\n";
    for stage in &report.stages {
        if let Some(longest) = stage.longest_ns {
            writeln!(text, r#"polyp_stage_longest_seconds{{stage="{}"}} {}"#, stage.stage, seconds(longest))
                .ok();
        }
    }
    text += "# HELP polyp_over_budget_total Times over the budget.\n# TYPE polyp_over_budget_total counter\n";
    for stage in report.stages.iter().filter(|stage| stage.limit_ns.is_some()) {
        writeln!(text, r#"polyp_over_budget_total{{stage="{}"}} {}"#, stage.stage, stage.over).ok();
    }
    text +=
        "# HELP polyp_frames_total Frames by what their mask was worth.\n# TYPE polyp_frames_total counter\n";
    for (state, count) in counts {
        writeln!(text, r#"polyp_frames_total{{state="{state}"}} {count}"#).ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::trace::{Ledger, Stage};

    #[test]
    fn every_line_is_a_comment_or_a_sample() {
        let ledger = Ledger::default();
        ledger.set_budget("paint=1ms".parse().unwrap());
        ledger.span(0, Stage::Paint, Instant::now(), Duration::from_millis(2));
        let text = exposition(&ledger.report(), &[("live".to_owned(), 3), ("no-mask".to_owned(), 1)]);
        for expected in [
            r#"polyp_stage_seconds{stage="paint",quantile="0.5"} 0.002"#,
            r#"polyp_stage_seconds_sum{stage="paint"} 0.002"#,
            r#"polyp_stage_seconds_count{stage="paint"} 1"#,
            r#"polyp_over_budget_total{stage="paint"} 1"#,
            r#"polyp_frames_total{state="no-mask"} 1"#,
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected} in\n{text}");
        }
        // Of what was not measured there are no quantiles.
        assert!(!text.contains(r#"{stage="copy",quantile"#), "{text}");
        let sample =
            regex::Regex::new(r#"^[a-z_]+\{[a-z]+="[^"]+"(,quantile="[0-9.]+")?\} [0-9.e+-]+$"#).unwrap();
        for line in text.lines() {
            assert!(line.starts_with("# ") || sample.is_match(line), "{line}");
        }
    }
}
