//! The status page: one file of HTML, style and script, that asks for nothing but what this API tells.

use super::call::Page;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use std::sync::LazyLock;

/// The page. It tells nothing of the fleet by itself: what it shows it asks for, with the key of whoever looks.
pub(super) fn page() -> Page {
    Page::new(200, "text/html; charset=utf-8", HTML)
        .with_header("Content-Security-Policy", POLICY.as_str())
        .with_header("X-Content-Type-Options", "nosniff")
        .with_header("Referrer-Policy", "no-referrer")
        .with_header("Cache-Control", "no-cache")
}

/// Nothing but this very style and script is applied and run, and they reach this agent only.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |tag: &str| {
        let text = HTML.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
        let text = text.map_or("", |(text, _)| text);
        STANDARD.encode(digest(&SHA256, text.as_bytes()))
    };
    let (style, script) = (hash("style"), hash("script"));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

const HTML: &str = include_str!("status.html");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_in_itself() {
        assert_eq!(HTML.matches("<style>").count(), 1);
        assert_eq!(HTML.matches("<script>").count(), 1);
        for outside in
            ["src=", "http://", "https://", "@import", "url(", " style=\"", " onclick=", "innerHTML", "eval("]
        {
            assert!(!HTML.replace("http://www.w3.org/2000/svg", "").contains(outside), "{outside}");
        }
        let empty = STANDARD.encode(digest(&SHA256, b""));
        assert!(!POLICY.contains(&empty), "{}", *POLICY);
    }
}
