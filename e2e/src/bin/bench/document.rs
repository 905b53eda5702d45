//! `docs/performance.md`: each section of the bench has its place, between two marks, and a run
//! replaces what it has measured.

use std::path::Path;

use anyhow::{Context, Result};

/// Puts `text` where the section stands, or at the end if there is none yet.
pub(crate) fn write(path: &Path, section: &str, text: &str) -> Result<()> {
    let old = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    std::fs::write(path, with_section(&old, section, text))?;
    Ok(())
}

fn with_section(document: &str, section: &str, text: &str) -> String {
    let (start, end) = (
        format!("<!-- {section} -->"),
        format!("<!-- /{section} -->"),
    );
    let new = format!("{start}\n{}\n{end}", text.trim());
    let place = document.find(&start).zip(document.find(&end));
    match place {
        Some((from, to)) if from < to => {
            let (before, after) = (&document[..from], &document[to + end.len()..]);
            format!("{before}{new}{after}")
        }
        Some(_) | None => format!("{}\n\n{new}\n", document.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::with_section;

    #[test]
    fn a_section_is_replaced_and_a_new_one_comes_last() {
        let one = with_section("# Title\n", "cold", "1 ms");
        assert_eq!(one, "# Title\n\n<!-- cold -->\n1 ms\n<!-- /cold -->\n");
        let two = with_section(&one, "warm", "2 ms");
        let again = with_section(&two, "cold", "3 ms");
        assert_eq!(again, two.replace("1 ms", "3 ms"));
    }
}
