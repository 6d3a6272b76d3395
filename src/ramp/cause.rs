//! Why clusters fail, so that equal causes count together.

/// An error message without what differs from cluster to cluster: its name, its id, addresses, lengths of time.
///
/// `https://10.0.0.7:8443 is unreachable: …` of a thousand clusters is one cause, and so is the conflict of a name.
pub fn cause(message: &str, name: &str, id: Option<&str>) -> String {
    let mut text = message.split_whitespace().collect::<Vec<_>>().join(" ");
    for (particular, placeholder) in [(Some(name), "NAME"), (id, "ID")] {
        if let Some(particular) = particular.filter(|particular| !particular.is_empty()) {
            text = replace_word(&text, particular, placeholder);
        }
    }
    let words = text.split(' ').map(without_particulars).collect::<Vec<_>>().join(" ");
    let shown: String = words.chars().take(MAX_CHARS).collect();
    if shown.is_empty() { "for an unknown reason".to_owned() } else { shown }
}

/// Replaces `word` where it stands alone, not within a longer name.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let goes_on = |c: char| c.is_alphanumeric() || c == '-';
        let alone =
            !replaced.chars().chain(before.chars()).next_back().is_some_and(goes_on) && !after.starts_with(goes_on);
        replaced.push_str(before);
        replaced.push_str(if alone { by } else { word });
        rest = after;
    }
    replaced.push_str(rest);
    replaced
}

/// Ports of this side and Rancher's generated ids differ every time; statuses and limits do not.
fn without_particulars(word: &str) -> String {
    let core = word.trim_matches(|c: char| "()[]{},;:.\"'`".contains(c));
    let is_id = core.strip_prefix("c-").is_some_and(|rest| {
        let letters = rest.strip_prefix("m-").unwrap_or(rest);
        (5..=8).contains(&letters.len()) && letters.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    });
    if is_id && !core.is_empty() { word.replace(core, "ID") } else { word.to_owned() }
}

/// A sentence or two.
const MAX_CHARS: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_causes_read_equal() {
        for (message, name, id, expected) in [
            (
                "Rancher has a cluster named edge-1 already (c-abcde), which this agent did not create",
                "edge-1",
                None,
                "Rancher has a cluster named NAME already (ID), which this agent did not create",
            ),
            (
                "Rancher answers 500 to POST /v3/clusters: boom\n at edge-1",
                "edge-1",
                None,
                "Rancher answers 500 to POST /v3/clusters: boom at NAME",
            ),
            ("edge-10 is not edge-1", "edge-1", None, "edge-10 is not NAME"),
            ("GET /v3/clusters/c-m-12345678: 404", "x", Some("c-m-12345678"), "GET /v3/clusters/ID: 404"),
            ("no tunnel within 10 s (ConnectTimeout)", "w", None, "no tunnel within 10 s (ConnectTimeout)"),
            ("", "edge-1", None, "for an unknown reason"),
        ] {
            assert_eq!(cause(message, name, id), expected, "{message}");
        }
        assert_eq!(cause(&"ü ".repeat(500), "x", None).chars().count(), 300);
    }
}
