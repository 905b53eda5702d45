//! The decisions as a table for people.

use std::fmt::Write as _;

use crate::decide::Rule;
use crate::gate::Passage;
use crate::history::Line;

const HEADINGS: [&str; 10] = [
    "SINCE", "LAST", "TIMES", "READY", "STABLE", "PANIC", "TARGET", "WANTED", "WRITTEN", "BECAUSE",
];
/// Shown where a number is unknown.
const UNKNOWN: &str = "-";

/// The lines as an aligned table, oldest first; times are UTC.
pub fn table(lines: &[Line]) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(lines.iter().map(row));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max();
    let widths = std::array::from_fn::<usize, { HEADINGS.len() }, _>(|column| {
        width(column).unwrap_or_default()
    });
    let mut table = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        // Writing to a string can't fail.
        let _ = writeln!(table, "{}", line.trim_end());
    }
    table
}

fn row(line: &Line) -> [String; HEADINGS.len()] {
    let account = &line.account;
    let load = |value: Option<f64>| value.map_or(UNKNOWN.to_owned(), |value| format!("{value:.2}"));
    let pods = |pods: Option<u32>| pods.map_or(UNKNOWN.to_owned(), |pods| pods.to_string());
    [
        // A revision that is seldom asked for tells of days: the date belongs to it.
        line.since.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        line.until.strftime("%H:%M:%S").to_string(),
        line.times.to_string(),
        format!("{}/{}", account.ready, pods(account.replicas)),
        load(account.load.map(|load| load.stable)),
        load(account.load.map(|load| load.panic)),
        format!("{:.2}", account.target),
        pods(account.wanted),
        pods(account.written),
        because(line),
    ]
}

/// The rule, and what else bound the number.
fn because(line: &Line) -> String {
    let account = &line.account;
    let mut because = in_words(account.rule).to_owned();
    if let Some(passage) = account.passage {
        let _ = write!(because, "; {}", on_the_way_to_zero(passage));
    }
    if account.panicking && account.rule != Rule::PanicHold {
        because.push_str("; in panic");
    }
    because
}

/// A rule for people: what settled the number.
pub(crate) fn in_words(rule: Rule) -> &'static str {
    match rule {
        Rule::NoData => "load unknown, stays",
        Rule::Load => "steady load / target",
        Rule::PanicLoad => "sudden load / target",
        Rule::PanicHold => "nothing shrinks in panic",
        Rule::MaxScaleUpRate => "grows no faster than max-scale-up-rate",
        Rule::MaxScaleDownRate => "shrinks no faster than max-scale-down-rate",
        Rule::ActivationScale => "first load brings activation-scale",
        Rule::ScaleDownDelay => "kept for scale-down-delay",
        Rule::MinScale => "at least min-scale",
        Rule::InitialScale => "starts with initial-scale",
        Rule::MaxScale => "at most max-scale",
    }
}

fn on_the_way_to_zero(passage: Passage) -> &'static str {
    match passage {
        Passage::Disabled => "one stays, enable-scale-to-zero is off",
        Passage::Starting => "first pods are awaited",
        Passage::GivenUp => "start took too long",
        Passage::WindowOpen => "one stays, active for less than a window",
        Passage::Announcing => "told to be inactive first",
        Passage::Retained => "last pod stays for scale-to-zero-pod-retention-period",
        Passage::InGrace => "last pod stays for scale-to-zero-grace-period",
        Passage::Unverified => "last pod stays until an activator answers",
        Passage::Open => "pods go",
    }
}
