//! `polyp top`: a running stream's delays, live in the terminal.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use clap::Args;
use polyp::trace::{PERCENTILES, Snapshot, Stage, StageReport};
use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Paragraph, Row, Sparkline, Table};

use super::failure::Failure;
use super::options::duration;
use super::served::Served;
use super::stopwatch::milliseconds;

/// Looks that the line of the picture's p99 goes back.
const LOOKS: usize = 240;

/// Show a running stream's delays live: percentiles of each stage against the budget
#[derive(Debug, Args)]
pub(super) struct Top {
    /// The port of this machine on which the stream serves its figures (metrics-port, [metrics])
    #[arg(value_name = "PORT", value_parser = Served::parse)]
    stream: Served,
    /// How often to look
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = duration)]
    every: Duration,
    /// Print one look as text and end, as where there is no terminal
    #[arg(long)]
    once: bool,
}

/// What is shown, and what was seen before.
struct View {
    snapshot: Snapshot,
    /// Frames a second since the last look.
    rate: f64,
    /// The picture's p99 at each look, in microseconds.
    history: Vec<u64>,
    /// Why the last look failed.
    lost: Option<String>,
}

impl Top {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let snapshot = self.stream.snapshot()?;
        if self.once || !std::io::stdout().is_terminal() {
            print!("{}", text(&snapshot));
            return Ok(());
        }
        let mut view = View { snapshot, rate: 0.0, history: Vec::new(), lost: None };
        // The terminal is put back as it was however this ends, also by a panic.
        ratatui::run(|terminal| -> std::io::Result<()> {
            let mut looked = Instant::now();
            loop {
                terminal.draw(|frame| draw(frame, &view))?;
                if event::poll(self.every.saturating_sub(looked.elapsed()))? {
                    if is_end(&event::read()?) {
                        return Ok(());
                    }
                    continue;
                }
                view.look(self.stream, looked.elapsed());
                looked = Instant::now();
            }
        })
        .map_err(|cause| Failure::Stream(format!("the terminal: {cause}")))
    }
}

impl View {
    fn look(&mut self, stream: Served, since: Duration) {
        match stream.snapshot() {
            Err(failure) => self.lost = Some(failure.to_string()),
            Ok(snapshot) => {
                let new = frames(&snapshot).saturating_sub(frames(&self.snapshot));
                self.rate = new as f64 / since.as_secs_f64().max(f64::MIN_POSITIVE);
                let p99 = whole(&snapshot).and_then(|stage| stage.percentiles_ns[2].or(stage.longest_ns));
                self.history.push(p99.unwrap_or_default() / 1_000);
                if self.history.len() > LOOKS {
                    self.history.remove(0);
                }
                (self.snapshot, self.lost) = (snapshot, None);
            }
        }
    }
}

/// What the picture is late by: with painting, where there is any.
fn whole(snapshot: &Snapshot) -> Option<&StageReport> {
    let known = |stage| snapshot.report.stage(stage).filter(|stage| stage.count > 0);
    known(Stage::Picture).or_else(|| known(Stage::Segment))
}

fn frames(snapshot: &Snapshot) -> u64 {
    snapshot.frames.iter().map(|(_, count)| count).sum()
}

fn is_end(event: &Event) -> bool {
    matches!(event, Event::Key(key)
        if matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
            || key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL))
}

fn head(snapshot: &Snapshot) -> String {
    let Snapshot { engine, prompt, backend, precision, threads, side_px, .. } = snapshot;
    if engine.is_empty() {
        return "no engine".to_owned();
    }
    format!("{engine} {side_px} px, {prompt:?}, {backend}, {precision}, {threads} threads")
}

fn badges(snapshot: &Snapshot) -> String {
    let counts = snapshot.frames.iter().filter(|(_, count)| *count > 0);
    counts.map(|(badge, count)| format!("{count} {badge}")).collect::<Vec<_>>().join(", ")
}

/// The cells of a stage's row: its name, count, percentiles, longest, limit, how many over.
fn cells(stage: &StageReport) -> Vec<String> {
    let time = |ns: Option<u64>| {
        ns.map_or_else(|| "-".to_owned(), |ns| format!("{:.2}", milliseconds(Duration::from_nanos(ns))))
    };
    let words =
        Stage::named(&stage.stage).map_or_else(|| stage.stage.clone(), |stage| stage.words().to_owned());
    let mut cells = vec![words, stage.count.to_string()];
    cells.extend(stage.percentiles_ns.map(time));
    cells.extend([time(stage.longest_ns), time(stage.limit_ns)]);
    cells.push(stage.limit_ns.map_or_else(String::new, |_| stage.over.to_string()));
    cells
}

/// The heads of [`cells`].
fn heads() -> Vec<&'static str> {
    let percentiles = PERCENTILES.iter().map(|(name, ..)| *name);
    ["times in ms", "count"].into_iter().chain(percentiles).chain(["longest", "budget", "over"]).collect()
}

/// Everything, as text. Also what `polyp budget` prints of a running stream.
pub(super) fn text(snapshot: &Snapshot) -> String {
    let row = |cells: Vec<String>| {
        let (first, rest) = cells.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let rest: String = rest.iter().map(|cell| format!("{cell:>9}")).collect();
        format!("{first:30}{rest}\n").trim_end().to_owned() + "\n"
    };
    let mut text = format!("{}\n{} frames: {}\n", head(snapshot), frames(snapshot), badges(snapshot));
    text += &row(heads().into_iter().map(str::to_owned).collect());
    text.extend(snapshot.report.stages.iter().filter(|stage| stage.count > 0).map(|stage| row(cells(stage))));
    text
}

fn draw(frame: &mut Frame<'_>, view: &View) {
    let snapshot = &view.snapshot;
    let parts = Layout::vertical([
        Constraint::Length(4),
        Constraint::Length(snapshot.report.stages.len() as u16 + 3),
        Constraint::Min(3),
        Constraint::Length(1),
    ]);
    let [top, middle, below, foot] = parts.areas(frame.area());
    let budget = if snapshot.budget.is_empty() { "none" } else { &snapshot.budget };
    let lines = vec![
        Line::from(head(snapshot)),
        Line::from(format!("{:.1} frames a second; {}", view.rate, badges(snapshot))),
        Line::from(format!("budget: {budget}")),
    ];
    frame.render_widget(Paragraph::new(lines), top);

    let rows = snapshot.report.stages.iter().filter(|stage| stage.count > 0).map(|stage| {
        let style = match (stage.limit_ns, stage.over) {
            (None, _) => Style::new(),
            (Some(_), 0) => Style::new().fg(Color::Green),
            (Some(_), _) => Style::new().fg(Color::Red),
        };
        Row::new(cells(stage).into_iter().map(|cell| Cell::from(Line::from(cell)))).style(style)
    });
    let widths = std::iter::once(Constraint::Length(30))
        .chain(std::iter::repeat_n(Constraint::Length(7), heads().len() - 1));
    let table = Table::new(rows, widths)
        .header(Row::new(heads()).style(Style::new().bold()))
        .block(Block::bordered().title("stages"));
    frame.render_widget(table, middle);

    let most = view.history.iter().max().copied().unwrap_or_default();
    let title = format!("p99 of the picture's way since the start, {:.2} ms at most here", most as f64 / 1e3);
    let line = Sparkline::default().data(&view.history).style(Style::new().fg(Color::Cyan));
    frame.render_widget(line.block(Block::bordered().title(title)), below);
    let end = view.lost.as_deref().map_or("q ends this view; the stream goes on", |lost| lost);
    frame.render_widget(Paragraph::new(end.to_owned()), foot);
}

#[cfg(test)]
mod tests {
    use polyp::trace::Ledger;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn snapshot() -> Snapshot {
        let ledger = Ledger::default();
        ledger.set_budget("picture=5.75ms".parse().unwrap());
        for ms in 1..=100 {
            ledger.span(ms, Stage::Picture, Instant::now(), Duration::from_micros(100 * ms));
        }
        Snapshot {
            engine: "lite".to_owned(),
            frames: vec![("live".to_owned(), 0), ("held".to_owned(), 100)],
            report: ledger.report(),
            ..Snapshot::default()
        }
    }

    #[test]
    fn a_look_as_text_has_each_stage_that_was_gone_through() {
        let text = text(&snapshot());
        assert!(text.contains("100 frames: 100 held"), "{text}");
        let line = text.lines().find(|line| line.starts_with(Stage::Picture.words())).unwrap();
        let cells: Vec<&str> = line[30..].split_whitespace().collect();
        // Rare percentiles are not said of a hundred frames.
        assert_eq!(cells, ["100", "5.00", "9.00", "9.90", "-", "-", "10.00", "5.75", "43"], "{line}");
        assert!(!text.contains(Stage::Copy.words()), "{text}");
    }

    #[test]
    fn the_live_view_shows_the_same() {
        let view = View { snapshot: snapshot(), rate: 29.97, history: vec![9_900, 10_000], lost: None };
        let mut terminal = Terminal::new(TestBackend::new(110, 32)).unwrap();
        terminal.draw(|frame| draw(frame, &view)).unwrap();
        let shown = terminal.backend().to_string();
        for expected in [
            "30.0 frames a second; 100 held",
            Stage::Picture.words(),
            "9.90",
            "5.75",
            "43",
            "10.00 ms at most",
        ] {
            assert!(shown.contains(expected), "{expected} in\n{shown}");
        }
    }
}
