//! What Rancher asked of the clusters, as a map of verb and resource.

use super::super::markup::escape;
use super::super::units::count;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

#[derive(Default)]
struct Cell {
    count: u64,
    errors: u64,
    codes: BTreeMap<u64, u64>,
}

/// The map, the resources that were asked for most first; cells with errors are underlined.
pub(super) fn map(requests: &[Value]) -> String {
    let mut cells: BTreeMap<(String, String), Cell> = BTreeMap::new();
    let mut resources: BTreeMap<String, u64> = BTreeMap::new();
    for row in requests {
        let text = |field: &str| row[field].as_str().unwrap_or("other").to_owned();
        let number = |field: &str| row[field].as_u64().unwrap_or_default();
        let cell = cells.entry((text("resource"), text("verb"))).or_default();
        // Strangers may have written them.
        let add = |sum: &mut u64| *sum = sum.saturating_add(number("count"));
        add(&mut cell.count);
        if number("code") >= 400 {
            add(&mut cell.errors);
        }
        add(cell.codes.entry(number("code")).or_default());
        add(resources.entry(text("resource")).or_default());
    }
    let mut verbs: Vec<&str> = cells.keys().map(|(_, verb)| verb.as_str()).collect();
    verbs.sort_by_key(|verb| (VERBS.iter().position(|known| known == verb).unwrap_or(VERBS.len()), *verb));
    verbs.dedup();
    let mut resources: Vec<(&String, &u64)> = resources.iter().collect();
    resources.sort_by(|one, other| other.1.cmp(one.1).then_with(|| one.0.cmp(other.0)));
    let hottest = cells.values().map(|cell| cell.count).max().unwrap_or(1);
    let mut html = String::from("<table class=\"heat\"><tr><th>resource</th>");
    verbs.iter().for_each(|verb| html += &format!("<th>{}</th>", escape(verb)));
    html += "<th>all</th></tr>";
    for (resource, total) in resources.iter().take(MOST_RESOURCES) {
        // Writing to a String cannot fail.
        let _ = write!(html, "<tr><td><code>{}</code></td>", escape(resource));
        for verb in &verbs {
            match cells.get(&((*resource).clone(), (*verb).to_owned())) {
                None => html += "<td></td>",
                Some(cell) => {
                    let heat = (cell.count as f64 + 1.0).ln() / (hottest as f64 + 1.0).ln();
                    let class = if cell.errors > 0 { "cell errors" } else { "cell" };
                    let codes: Vec<String> =
                        cell.codes.iter().map(|(code, n)| format!("{code}: {}", count(*n))).collect();
                    let _ = write!(
                        html,
                        "<td class=\"{class}\" style=\"--h:{heat:.2}\" title=\"{}\">{}</td>",
                        codes.join(", "),
                        count(cell.count)
                    );
                }
            }
        }
        let _ = write!(html, "<td>{}</td></tr>", count(**total));
    }
    html += "</table>";
    let left = resources.len().saturating_sub(MOST_RESOURCES);
    if left > 0 {
        let _ = write!(html, "<p class=\"note\">and {left} more resources; run.json has them all</p>");
    }
    html
}

/// In the order in which they are usually listed.
const VERBS: [&str; 10] =
    ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "connect", "other"];
/// More than a screen shows.
const MOST_RESOURCES: usize = 40;
