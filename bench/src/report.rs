//! Tables from measurements: medians over the rounds, in the order in which things were measured. Pure.

use crate::journal::Measurement;
use crate::table;

/// A column: its head, the figure's name, and the digits after the point.
pub(crate) type Column = (&'static str, &'static str, usize);

/// The tables of one part, one per row of the matrix, as Markdown.
pub(crate) fn tables(all: &[Measurement], part: &str, columns: &[Column]) -> String {
    let mine: Vec<&Measurement> = all.iter().filter(|m| m.key.part == part).collect();
    let mut text = String::new();
    for row in in_order(mine.iter().map(|m| m.key.row.as_str())) {
        let here: Vec<&Measurement> = mine.iter().copied().filter(|m| m.key.row == row).collect();
        let used: Vec<Column> =
            columns.iter().copied().filter(|(_, name, _)| here.iter().any(|m| m.values.contains_key(*name))).collect();
        let mut lines = vec![vec![String::new()]];
        lines[0].extend(used.iter().map(|(head, _, _)| (*head).to_owned()));
        lines[0].push("rounds".to_owned());
        for contestant in in_order(here.iter().map(|m| m.key.contestant.as_str())) {
            let runs: Vec<&Measurement> = here.iter().copied().filter(|m| m.key.contestant == contestant).collect();
            let mut line = vec![contestant.to_owned()];
            line.extend(used.iter().map(|(_, name, digits)| cell(&runs, name, *digits)));
            line.push(remark(&runs));
            lines.push(line);
        }
        text.push_str(&table::markdown(row, &lines));
        text.push('\n');
    }
    text
}

fn cell(runs: &[&Measurement], name: &str, digits: usize) -> String {
    let values: Vec<f64> = runs.iter().filter_map(|m| m.values.get(name).copied()).collect();
    if values.is_empty() { "–".to_owned() } else { format!("{:.digits$}", table::median(&values)) }
}

/// How many rounds, and what is to be known about them.
fn remark(runs: &[&Measurement]) -> String {
    let notes = in_order(runs.iter().map(|m| m.note.as_str()).filter(|note| !note.is_empty()));
    if notes.is_empty() { runs.len().to_string() } else { format!("{}: {}", runs.len(), notes.join("; ")) }
}

fn in_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Key, Values};

    fn measurement(contestant: &str, round: usize, seconds: f64, note: &str) -> Measurement {
        let key = Key { part: "wan".into(), row: "a line".into(), contestant: contestant.into(), round };
        Measurement { key, values: Values::from([("seconds".to_owned(), seconds)]), note: note.into() }
    }

    #[test]
    fn a_table_has_the_medians_and_says_what_was_cut() {
        let all = [
            measurement("we", 1, 3.0, ""),
            measurement("they", 1, 90.0, "cut"),
            measurement("we", 2, 1.0, ""),
            measurement("we", 3, 2.0, ""),
        ];
        let text = tables(&all, "wan", &[("seconds", "seconds", 1), ("CPU", "cpu", 1)]);
        let lines: Vec<Vec<&str>> =
            text.lines().map(|line| line.split('|').map(str::trim).filter(|c| !c.is_empty()).collect()).collect();
        assert_eq!(lines[0], ["### a line"]);
        assert!(text.contains("seconds") && !text.contains("CPU"), "a column without figures is left out: {text}");
        assert_eq!(lines[4], ["we", "2.0", "3"]);
        assert_eq!(lines[5], ["they", "90.0", "1: cut"]);
    }
}
