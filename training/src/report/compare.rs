//! Several networks side by side on the same pictures: a table of all measures, and paired differences.
//!
//! Not here: the bootstrap ([`polyp::metric`]).

use polyp::metric::{self, Interval, MEASURES};

use crate::score::{SEED, Scored};

/// One network's column.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Its figures. All columns of a table are of the same pictures.
    pub scored: &'a Scored,
}

/// Figures by measure: a head, and rows of as many cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The head's cells.
    pub head: Vec<String>,
    /// The other rows.
    pub rows: Vec<Vec<String>>,
}

/// Every measure that has a value, with its 95 % interval, for each column.
pub fn table(columns: &[Column<'_>]) -> Table {
    let intervals: Vec<_> = columns.iter().map(|column| column.scored.intervals()).collect();
    rows(columns.iter().map(|column| column.name.to_owned()), |row| {
        let cell = |(column, intervals): (&Column<'_>, &Vec<Option<Interval>>)| {
            let value = MEASURES.get(row)?.of(&column.scored.total)?;
            Some(cell(value, intervals.get(row).copied().flatten(), false))
        };
        columns.iter().zip(&intervals).map(cell).collect()
    })
}

/// The differences of every other column to the first, by the same draws for both. A star marks those whose interval
/// does not hold zero. None with fewer than two columns.
pub fn differences(columns: &[Column<'_>]) -> Option<Table> {
    let (first, others) = columns.split_first().filter(|(_, others)| !others.is_empty())?;
    let of = |column: &Column<'_>| metric::differences(&first.scored.groups, &column.scored.groups, SEED);
    let intervals: Vec<_> = others.iter().map(of).collect();
    let names = others.iter().map(|column| format!("{} - {}", column.name, first.name));
    Some(rows(names, |row| {
        let cell = |(column, intervals): (&Column<'_>, &Vec<Option<Interval>>)| {
            let measure = MEASURES.get(row)?;
            let value = metric::difference(measure, &first.scored.total, &column.scored.total)?;
            Some(cell(value, intervals.get(row).copied().flatten(), true))
        };
        others.iter().zip(&intervals).map(cell).collect()
    }))
}

/// A row for each measure of which at least one cell has something to say.
fn rows(names: impl Iterator<Item = String>, cells: impl Fn(usize) -> Vec<Option<String>>) -> Table {
    let head = ["measure", "per"].map(str::to_owned).into_iter().chain(names).collect();
    let row = |(index, measure): (usize, &metric::Measure)| {
        let cells = cells(index);
        let begin = [measure.name, measure.per].map(str::to_owned);
        let cells: Vec<String> = cells
            .iter()
            .any(Option::is_some)
            .then(|| cells.into_iter().map(Option::unwrap_or_default).collect())?;
        Some(begin.into_iter().chain(cells).collect())
    };
    Table { head, rows: MEASURES.iter().enumerate().filter_map(row).collect() }
}

fn cell(value: f64, interval: Option<Interval>, signed: bool) -> String {
    let number = |value: f64| if signed { format!("{value:+.4}") } else { format!("{value:.4}") };
    let Some(Interval { low, high }) = interval else { return number(value) };
    let star = if signed && (low > 0.0 || high < 0.0) { " *" } else { "" };
    format!("{} [{}, {}]{star}", number(value), number(low), number(high))
}

impl Table {
    /// As lines of text with aligned columns.
    pub fn text(&self) -> String {
        let rows = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| {
            rows().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
        };
        rows().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use polyp::frame::Size;
    use polyp::metric::{Score, Sums};

    use super::*;

    /// Pictures of ten pixels, five of them true, of which so many are claimed.
    fn scored(hits: &[usize]) -> Scored {
        let mut score = Score::new();
        let truth: Vec<bool> = (0..10).map(|i| i < 5).collect();
        for &hits in hits {
            let probability: Vec<f32> = (0..10).map(|i| if i < hits { 1.0 } else { 0.0 }).collect();
            score.add(&probability, &truth, Size::new(10, 1)).unwrap();
        }
        let pictures = score.pictures().to_vec();
        Scored { total: Sums::total(&pictures), groups: pictures.clone(), pictures }
    }

    #[test]
    fn figures_stand_side_by_side_and_differences_are_paired() {
        let (poor, good) = (scored(&[0, 1, 2, 3, 4]), scored(&[1, 2, 3, 4, 5]));
        let columns = [Column { name: "poor", scored: &poor }, Column { name: "good", scored: &good }];
        let table = table(&columns);
        assert_eq!(table.head, ["measure", "per", "poor", "good"]);
        let row = |table: &Table, name: &str| {
            table.rows.iter().find(|row| row[..2] == [name, "image"]).unwrap()[2..].to_vec()
        };
        assert!(row(&table, "iou")[0].starts_with("0.4000 [0."), "{table:?}");
        // Without a picture that has no lesion there are no false alarms to speak of.
        assert!(!table.rows.iter().any(|row| row[0] == "false_alarms" || row[0] == "coverage_95"));
        let paired = differences(&columns).unwrap();
        assert_eq!(paired.head[2..], ["good - poor"]);
        assert_eq!(row(&paired, "iou"), ["+0.2000 [+0.2000, +0.2000] *"]);
        let same = differences(&[columns[0], columns[0]]).unwrap();
        assert_eq!(row(&same, "dice"), ["+0.0000 [+0.0000, +0.0000]"]);
        assert_eq!(differences(&columns[..1]), None);
        let lines: Vec<String> = table.text().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), table.rows.len() + 1);
        assert_eq!(lines[0].find("good"), lines[1].find(&row(&table, "dice")[1]), "{lines:?}");
    }
}
