//! A report in HTML: a page and its pictures in one folder, with nothing from anywhere else.
//!
//! Not here: what the tables and pictures show ([`super::table`], [`super::sheets`], [`super::reliability`]).

use std::path::{Path, PathBuf};

use polyp::metric::MEASURES;

use super::Table;
use crate::TrainingError;

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:1320px;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.25em .7em;text-align:left}\
td+td+td{font-family:monospace;white-space:nowrap}th{background:#f2f2f2}img,svg{max-width:100%;height:auto}\
.leaky{background:#ffe9a8;padding:.5em 1em;border:1px solid #c90}";

/// One data set's part of the report.
#[derive(Clone, Debug)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// What was measured, in a sentence; HTML characters are escaped.
    pub words: String,
    /// Every measure.
    pub figures: Table,
    /// The differences to the first network, if there are several.
    pub differences: Option<Table>,
    /// Diagrams: a caption, and the text of an SVG.
    pub charts: Vec<(String, String)>,
    /// Pictures: a caption, and the file's name in the report's folder.
    pub pictures: Vec<(String, String)>,
}

/// A report.
#[derive(Clone, Debug)]
pub struct Html {
    /// Its heading.
    pub title: String,
    /// Whether prompts told the network something of the truth: said in every part.
    pub leaky: bool,
    /// One for each data set.
    pub sections: Vec<Section>,
}

impl Html {
    /// Writes `index.html` to the report's folder, which is made if it is not there, and gives back its path.
    ///
    /// # Errors
    /// [`TrainingError::File`] when it can not be written.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, TrainingError> {
        std::fs::create_dir_all(folder).map_err(TrainingError::file("create", folder))?;
        let path = folder.join("index.html");
        std::fs::write(&path, self.text()).map_err(TrainingError::file("write", &path))?;
        Ok(path)
    }

    /// The page.
    fn text(&self) -> String {
        let title = escaped(&self.title);
        let mut text = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n<p>For research. Not a medical device.</p>\n"
        );
        for section in &self.sections {
            self.section(section, &mut text);
        }
        text += "<h2>The measures</h2>\n<table>\n<tr><th>measure</th><th>per</th><th>what</th></tr>\n";
        for measure in &MEASURES {
            let cells = [measure.name, measure.per, measure.words].map(|cell| format!("<td>{cell}</td>"));
            text += &format!("<tr>{}</tr>\n", cells.concat());
        }
        text + "</table>\n</body></html>\n"
    }

    fn section(&self, section: &Section, text: &mut String) {
        let mut put = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        put(format!("<h2>{}</h2>\n<p>{}</p>", escaped(&section.title), escaped(&section.words)));
        if self.leaky {
            put("<p class=\"leaky\">leaky: the captions were made from the truth. No scope has them.</p>"
                .to_owned());
        }
        put("<p>In brackets: 95 % intervals, bootstrap over groups of pictures.</p>".to_owned());
        put(html_table(&section.figures));
        if let Some(differences) = &section.differences {
            put("<h3>Differences</h3>\n<p>Paired: of the same pictures and the same draws. A star: the interval does not \
                 hold zero.</p>"
                .to_owned());
            put(html_table(differences));
        }
        for (caption, svg) in &section.charts {
            put(format!("<h3>{}</h3>\n{svg}", escaped(caption)));
        }
        for (caption, file) in &section.pictures {
            let (caption, file) = (escaped(caption), escaped(file));
            put(format!("<h3>{caption}</h3>\n<img src=\"{file}\" alt=\"{caption}\">"));
        }
    }
}

fn html_table(table: &Table) -> String {
    let cells = |row: &[String], tag: &str| -> String {
        row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect()
    };
    let mut text = format!("<table>\n<tr>{}</tr>\n", cells(&table.head, "th"));
    for row in &table.rows {
        text += &format!("<tr>{}</tr>\n", cells(row, "td"));
    }
    text + "</table>"
}

/// Text in which HTML sees nothing of its own.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            _ => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(leaky: bool) -> Html {
        let table = |name: &str| Table {
            head: ["measure", "per", name].map(str::to_owned).into(),
            rows: vec![["dice", "image", "0.9000"].map(str::to_owned).into()],
        };
        let section = Section {
            title: "a <set>".to_owned(),
            words: "prompt \"polyp\"".to_owned(),
            figures: table("one"),
            differences: Some(table("two - one")),
            charts: vec![("curve".to_owned(), "<svg>drawn</svg>".to_owned())],
            pictures: vec![("worst".to_owned(), "worst.jpg".to_owned())],
        };
        Html { title: "Scores".to_owned(), leaky, sections: vec![section] }
    }

    #[test]
    fn everything_is_on_the_page_and_text_stays_text() {
        let temp = tempfile::tempdir().unwrap();
        let path = report(false).write(&temp.path().join("new")).unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        for part in [
            "<h2>a &lt;set&gt;</h2>",
            "prompt &quot;polyp&quot;",
            "<td>0.9000</td>",
            "<th>two - one</th>",
            "<svg>drawn</svg>",
            "<img src=\"worst.jpg\"",
            "<td>boundary_f</td>",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        // Nothing is fetched, and nothing is said of leaks where there are none.
        assert!(!text.contains("http") && !text.contains("leaky:"), "{text}");
        assert!(report(true).text().contains("leaky: the captions"));
    }
}
