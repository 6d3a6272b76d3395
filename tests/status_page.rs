//! The status page in a real browser.

mod support;

use serde_json::json;
use std::path::Path;
use support::browser::Browser;
use support::fake_rancher::{Answer, FakeRancher};
use support::http::send;
use support::{Agent, Peer, request};

#[test]
fn it_comes_with_a_policy_that_lets_nothing_else_in() {
    let rancher = FakeRancher::start();
    let agent = Agent::start_for(&rancher, "");
    let answer = send(&agent.url, b"GET / HTTP/1.1\r\nHost: agent\r\n\r\n");
    assert_eq!(answer.status, 200);
    let header = |name: &str| {
        let found = answer.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    assert_eq!(header("Content-Type"), "text/html; charset=utf-8");
    let policy = header("Content-Security-Policy");
    assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
    assert!(answer.body.starts_with("<!doctype html>"));
    let (status, overview) = agent.call("GET", "/overview");
    assert_eq!((status, &overview["clusters"]["active"]), (200, &json!(0)), "{overview:#}");
}

#[test]
#[cfg_attr(not(has_go), ignore = "Go is not installed")]
fn it_shows_the_fleet_and_follows_it_light_and_dark() {
    let Some(mut browser) = Browser::open(1280, 1130) else { return };
    let peer = Peer::start(&["-steps", "none", "--kubectl", "0"]);
    let agent = Agent::start(&peer, "PollInterval: 1s\n");
    browser.prefer_dark(false);
    browser.go(&format!("{}/", agent.url));
    let empty = browser.await_text("No cluster is on its way yet.");
    assert!(empty.contains("Every cluster is well."), "{empty}");

    for number in 1..=12 {
        assert_eq!(agent.create(&format!("edge-{number:04}")).0, 201);
    }
    // Nobody loads the page again.
    for number in 1..=12 {
        agent.await_state(&format!("edge-{number:04}"), "active");
    }
    let text = browser.await_text("12\nActive");
    assert!(text.contains("edge-00") && text.contains("list v1/") || text.contains("watch v1/"), "{text}");
    let body = r#"{"fault":"refuse","select":"prefix=edge-,25%","duration":"1h","seed":3}"#;
    assert_eq!(request("POST", &format!("{}/faults", agent.url), Some(body)).0, 201);
    let text = browser.await_text("3\ndisconnected");
    assert!(text.contains("1 · refuse") && text.contains("fault 1: refuse"), "{text}");
    browser.await_text("−");
    let look =
        "document.querySelectorAll('#chart polygon').length + ' ' + getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.evaluate(look), "6 rgb(246, 246, 243)");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    browser.picture(&directory.join("status-light.png"));
    browser.prefer_dark(true);
    assert_eq!(browser.evaluate(look), "6 rgb(18, 20, 22)");
    browser.picture(&directory.join("status-dark.png"));
    assert_eq!(browser.complaints, [""; 0], "the console is silent");
}

#[test]
fn what_clusters_are_called_and_rancher_says_is_text_and_nothing_else() {
    let Some(mut browser) = Browser::open(1280, 900) else { return };
    let rancher = FakeRancher::start();
    rancher.always(
        "POST",
        "/v3/clusters",
        Answer::error(403, "Forbidden", "<img src=x onerror=\"document.title='broken in'\">"),
    );
    let agent = Agent::start_for(&rancher, "");
    let url = format!("{}/clusters?wait=false", agent.url);
    assert_eq!(request("POST", &url, Some(r#"{"name":"edge"}"#)).0, 202);
    agent.await_state("edge", "failed");
    browser.go(&format!("{}/", agent.url));
    let text = browser.await_text("1\nfailed");
    assert!(text.contains("<img src=x"), "{text}");
    assert_eq!(browser.evaluate("document.title + document.images.length"), "Scale Cluster Agent0");
    assert_eq!(browser.complaints, [""; 0]);
}
