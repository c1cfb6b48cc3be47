//! What the tool's pages have in common.

/// Their style: large enough to touch, dark where the reader wants it, ink where it is printed.
const STYLE: &str = include_str!("html.css");

/// A page's beginning up to its sections; `title` is HTML, and so is what comes before the header.
pub(super) fn begin(title: &str, before: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body>{before}\
         <header><h1>{title}</h1><p>For research. Not a medical device.</p></header><main>"
    )
}

/// A text as HTML says it.
pub(super) fn escaped(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => said += "&amp;",
            '<' => said += "&lt;",
            '>' => said += "&gt;",
            '"' => said += "&quot;",
            letter => said.push(letter),
        }
    }
    said
}

/// A row of a table of two columns: a name and its value, both text.
pub(super) fn row(name: &str, value: &str) -> String {
    format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escaped(name), escaped(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_stays_text() {
        assert_eq!(escaped("<b>\"a\" & b</b>"), "&lt;b&gt;&quot;a&quot; &amp; b&lt;/b&gt;");
        assert_eq!(row("<", "&"), "<tr><th scope=\"row\">&lt;</th><td>&amp;</td></tr>");
    }
}
