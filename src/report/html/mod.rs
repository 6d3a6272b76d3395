//! `report.html`: the run for people, one file without scripts or anything from elsewhere, light and dark.

mod chart;
mod heat;
mod spread;

use super::markup::escape;
use super::text::{seconds, spread as spread_of, value};
use super::units::{bytes, count, duration};
use super::{Outcome, Percentiles, Run, Stage};
use crate::ramp::Milestone;
use serde_json::Value;
use std::fmt::Write;

/// The page.
pub(super) fn page(run: &Run) -> String {
    let class = match run.outcome {
        Outcome::Passed => "passed",
        Outcome::Failed | Outcome::ThresholdsFailed => "failed",
        Outcome::Interrupted => "interrupted",
    };
    let name = escape(&run.name);
    let title = run.outcome.title().to_lowercase();
    let results = &run.results;
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{name}: {title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header><h1>{name}<span class=\"badge {class}\">{title}</span></h1>\n<p class=\"sub\">{}<br>{} – {}</p></header>\n",
        escape(run.headline().split_once(": ").map_or("", |(_, rest)| rest)),
        moment(results.started),
        moment(results.finished),
    );
    html += &tiles(run);
    html += &thresholds(run);
    html += &course(run);
    html += &stages(run);
    html += &two(&[active_curve(run), slowest(run)]);
    html += &failures(run);
    html += &requests(run);
    html += &two(&[calls(run), lists(run)]);
    html += &setting(run);
    html + "</main>\n</body>\n</html>\n"
}

fn tiles(run: &Run) -> String {
    let figures = &run.figures;
    let active = figures.times_to(Milestone::Active);
    let time = |times: Option<f64>| times.map_or("–".to_owned(), |time| duration(seconds(time)));
    let memory = run.results.timeline.points.iter().map(|point| point.rss_bytes).max().unwrap_or_default();
    let mut html = String::from("<div class=\"tiles\">");
    for (class, figure, what) in [
        ("", format!("{} / {}", count(figures.active), count(figures.requested)), "clusters became Active"),
        (if figures.failed > 0 { "bad" } else { "" }, count(figures.failed), "failed"),
        ("", time(active.map(|times| times.p50_seconds)), "median time to Active"),
        ("", time(active.map(|times| times.p95_seconds)), "95 % Active within"),
        (if figures.behind_max > 0 { "warn" } else { "" }, count(figures.behind_max), "behind the plan at most"),
        (if figures.disconnects > 0 { "warn" } else { "" }, count(figures.disconnects), "tunnels lost"),
        ("", bytes(memory as i64), "memory of the agent at most"),
    ] {
        // Writing to a String cannot fail.
        let _ = write!(html, "<div class=\"tile {class}\"><b>{figure}</b><span>{what}</span></div>");
    }
    html + "</div>\n"
}

fn thresholds(run: &Run) -> String {
    if run.figures.thresholds.is_empty() {
        return String::new();
    }
    let mut html = String::from("<section><h2>Thresholds</h2><table>");
    for verdict in &run.figures.thresholds {
        let (class, mark) = if verdict.ok == Some(true) { ("yes", "✓") } else { ("no", "✗") };
        let _ = write!(
            html,
            "<tr><td><span class=\"{class}\">{mark}</span> {}</td><td><code>{}</code></td><td>{}</td></tr>",
            escape(&verdict.metric),
            escape(&verdict.condition),
            value(verdict)
        );
    }
    html + "</table></section>\n"
}

fn course(run: &Run) -> String {
    let marks: Vec<(f64, String)> = run.faults.iter().map(|fault| (fault.at_seconds, fault.fault.clone())).collect();
    let lines: [chart::Line; 5] = [
        ("started", "--b", false, |point| point.started.into()),
        ("created", "--a", false, |point| point.created.into()),
        ("planned", "--soft", true, |point| point.due.into()),
        ("failed", "--bad", false, |point| point.failed.into()),
        ("Active", "--ok", false, |point| point.active.into()),
    ];
    let points = &run.results.timeline.points;
    let mut html =
        format!("<section><h2>Planned and Active over time</h2>{}", chart::over_time(points, &lines, &marks));
    if points.iter().any(|point| point.behind > 0 || point.disconnects > 0) {
        let lines: [chart::Line; 2] = [
            ("tunnels lost, in all", "--bad", false, |point| point.disconnects as f64),
            ("behind the plan", "--warn", false, |point| point.behind.into()),
        ];
        html += &chart::over_time(points, &lines, &marks);
    }
    html + "</section>\n"
}

fn stages(run: &Run) -> String {
    format!(
        "<section><h2>From intended start to each stage</h2>\
         <p class=\"note\">Bars reach from the shortest to the longest time; the dark part is from the median to the 95th percentile, \
         which is written beside it.</p>{}{}</section>\n",
        spread::bars(&run.figures.stages),
        times_table("stage", "clusters", &run.figures.stages)
    )
}

fn active_curve(run: &Run) -> String {
    let tally = run.results.tally();
    let times = tally.times(Milestone::Active);
    if times.count() == 0 {
        return String::new();
    }
    format!("<section><h2>Time to Active by percentile</h2>{}</section>\n", chart::percentiles(times))
}

fn slowest(run: &Run) -> String {
    if run.figures.slowest.is_empty() {
        return String::new();
    }
    let mut html = String::from("<section><h2>Slowest clusters</h2><table><tr><th>cluster</th><th>to Active</th></tr>");
    for slow in &run.figures.slowest {
        let _ = write!(html, "<tr><td>{}</td><td>{}</td></tr>", escape(&slow.name), duration(seconds(slow.seconds)));
    }
    html + "</table></section>\n"
}

fn failures(run: &Run) -> String {
    let all: Vec<_> = run.figures.failures.iter().chain(&run.complaints).collect();
    if all.is_empty() {
        return "<section><h2>Failures</h2><p class=\"sub\">none</p></section>\n".into();
    }
    let mut html = String::from(
        "<section><h2>Failures by cause</h2><table><tr><th>cause</th><th>count</th><th>for example</th></tr>",
    );
    for failure in all {
        let _ = write!(
            html,
            "<tr><td class=\"wrap\">{}</td><td>{}</td><td>{}</td></tr>",
            escape(&failure.cause),
            count(failure.count),
            escape(&failure.examples.join(", "))
        );
    }
    html + "</table></section>\n"
}

fn requests(run: &Run) -> String {
    if run.requests.is_empty() {
        return String::new();
    }
    format!(
        "<section><h2>What was asked of the clusters</h2><p class=\"note\">Requests of this time by verb and resource, to all clusters \
         of the agent; underlined in red where some were answered with an error.</p>{}</section>\n",
        heat::map(&run.requests)
    )
}

fn calls(run: &Run) -> String {
    if run.figures.calls.is_empty() {
        return String::new();
    }
    let mut html = String::from(
        "<section><h2>Rancher's own answers</h2><table><tr><th>endpoint</th><th>calls</th><th>failed</th><th>p50</th><th>p95</th><th>max</th></tr>",
    );
    for endpoint in &run.figures.calls {
        let times = endpoint.times.as_ref();
        let time = |pick: fn(&Percentiles) -> f64| times.map_or(String::new(), |times| duration(seconds(pick(times))));
        let _ = write!(
            html,
            "<tr><td><code>{}</code></td><td>{}</td><td{}>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&endpoint.name),
            count(times.map_or(0, |times| times.count)),
            if endpoint.failed > 0 { " class=\"no\"" } else { "" },
            count(endpoint.failed),
            time(|times| times.p50_seconds),
            time(|times| times.p95_seconds),
            time(|times| times.max_seconds),
        );
    }
    html + "</table></section>\n"
}

fn lists(run: &Run) -> String {
    if run.figures.lists.is_empty() {
        return String::new();
    }
    let mut html = String::from(
        "<section><h2>Until the first list of</h2><table><tr><th>resource</th><th>clusters</th><th>p50</th><th>p95</th><th>max</th></tr>",
    );
    for (stage, times) in run.figures.lists.iter().filter_map(|stage| Some((stage, stage.since_intended.as_ref()?))) {
        let time = |time: f64| duration(seconds(time));
        let _ = write!(
            html,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&stage.name),
            count(times.count),
            time(times.p50_seconds),
            time(times.p95_seconds),
            time(times.max_seconds)
        );
    }
    html + "</table></section>\n"
}

/// Plan, environment and configuration.
fn setting(run: &Run) -> String {
    let agents = match &run.results.agent {
        Value::Array(agents) => agents.iter().collect(),
        agent => vec![agent],
    };
    let mut html = format!("<section><h2>Plan</h2>{}</section>\n", pairs(&run.results.spec));
    for agent in agents {
        let mut about = agent.clone();
        let settings = about.as_object_mut().and_then(|about| about.remove("settings")).unwrap_or_default();
        let settings = settings.as_object().into_iter().flatten();
        let mut rows = String::new();
        for (key, setting) in settings {
            let text = |field: &str| escape(setting[field].as_str().unwrap_or_default());
            let _ = write!(
                rows,
                "<tr><td>{}</td><td class=\"wrap\">{}</td><td>{}</td></tr>",
                escape(key),
                text("value"),
                text("origin")
            );
        }
        let _ = writeln!(
            html,
            "<section><h2>Agent and host</h2>{}<details><summary>Configuration, secrets masked</summary><table>{rows}</table></details></section>",
            pairs(&about)
        );
    }
    html
}

/// The leaves of a JSON value as rows.
fn pairs(value: &Value) -> String {
    let mut rows = String::new();
    leaves("", value, &mut rows);
    format!("<table>{rows}</table>")
}

fn leaves(path: &str, value: &Value, rows: &mut String) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path} · {key}") };
    match value {
        Value::Null => {}
        Value::Object(fields) => fields.iter().for_each(|(key, value)| leaves(&below(key), value, rows)),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let items: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            if !items.is_empty() {
                leaves(path, &items.join(", ").into(), rows);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| leaves(&below(&(at + 1).to_string()), item, rows));
        }
        leaf => {
            let text = leaf.as_str().map_or_else(|| leaf.to_string(), str::to_owned);
            // Writing to a String cannot fail.
            let _ = write!(rows, "<tr><td>{}</td><td class=\"wrap\">{}</td></tr>", escape(path), escape(&text));
        }
    }
}

fn times_table(name: &str, counted: &str, stages: &[Stage]) -> String {
    let mut html = format!("<table><tr><th>{name}</th><th>{counted}</th>");
    ["p50", "p90", "p95", "p99", "p99.9", "max"].iter().for_each(|title| html += &format!("<th>{title}</th>"));
    html += "</tr>";
    for stage in stages {
        let times = stage.since_intended.as_ref();
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{}</td>",
            escape(&stage.name),
            count(times.map_or(0, |times| times.count))
        );
        match times {
            Some(times) => {
                spread_of(times).iter().for_each(|time| html += &format!("<td>{}</td>", duration(seconds(*time))))
            }
            None => html += "<td></td><td></td><td></td><td></td><td></td><td></td>",
        }
        html += "</tr>";
    }
    html + "</table>"
}

fn two(sections: &[String]) -> String {
    if sections.iter().all(String::is_empty) {
        String::new()
    } else {
        format!("<div class=\"two\">{}</div>\n", sections.concat())
    }
}

fn moment(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    use super::super::testing::passed;
    use super::*;
    use serde_json::json;

    #[test]
    fn the_page_is_whole_and_nothing_breaks_out_of_it() {
        let mut run = passed();
        run.name = "<script>alert(1)</script>".into();
        run.results.clusters[0].name = "\"><img src=x>".into();
        run.requests = vec![json!({"verb": "list", "resource": "v1/<b>", "code": 500, "count": 3})];
        run.refresh();
        let html = page(&run);
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("<b>v"), "{html}");
        for tag in ["main", "section", "table", "svg", "details", "tr", "td", "div"] {
            let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
            let closed = html.matches(&format!("</{tag}>")).count();
            assert!(opened == closed, "{tag}: {opened} opened, {closed} closed");
        }
        assert!(!html.contains("http://") && !html.contains("https://"), "nothing comes from elsewhere");
    }
}
