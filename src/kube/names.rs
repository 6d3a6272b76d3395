//! Rules for names, labels and annotations, in the words of apimachinery's `util/validation`.

use super::Resource;
use super::catalog::NameRule;

/// Why `name` cannot name an object of `resource`: one message a broken rule, none when it is fine.
pub fn check_name(resource: &Resource, name: &str) -> Vec<String> {
    match resource.name_rule {
        NameRule::Subdomain => check_subdomain(name),
        NameRule::Label => check_label(name),
        NameRule::Label1035 => check_label_1035(name),
        NameRule::PathSegment if matches!(name, "." | "..") => vec![format!("may not be '{name}'")],
        NameRule::PathSegment => check_path_segment(name),
    }
}

/// Why `prefix` (a `generateName`) cannot begin the name of an object of `resource`.
pub fn check_name_prefix(resource: &Resource, prefix: &str) -> Vec<String> {
    if resource.name_rule == NameRule::PathSegment {
        return check_path_segment(prefix);
    }
    match prefix.strip_suffix('-') {
        // A dash at the end is fine, as something follows it. The character before it goes unchecked, as in apimachinery's maskTrailingDash.
        Some(rest) if !rest.is_empty() => {
            let mut masked = rest.to_owned();
            masked.pop();
            masked.push('a');
            check_name(resource, &masked)
        }
        _ => check_name(resource, prefix),
    }
}

/// Why `name` is no RFC 1123 label, such as a namespace must be.
pub fn check_label(name: &str) -> Vec<String> {
    let mut problems = too_long(name, LABEL_LIMIT_BYTES);
    if !is_label(name) {
        problems.push(if is_subdomain(name) {
            "must not contain dots".into()
        } else {
            let rule = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an \
                        alphanumeric character";
            pattern(rule, LABEL_PATTERN, &["my-name", "123-abc"])
        });
    }
    problems
}

/// Why `name` is no RFC 1123 subdomain.
pub fn check_subdomain(name: &str) -> Vec<String> {
    let mut problems = too_long(name, SUBDOMAIN_LIMIT_BYTES);
    if !is_subdomain(name) {
        let rule = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end \
                    with an alphanumeric character";
        problems.push(pattern(rule, &format!("{LABEL_PATTERN}(\\.{LABEL_PATTERN})*"), &["example.com"]));
    }
    problems
}

/// Why `key` is no label or annotation key.
pub fn check_qualified_name(key: &str) -> Vec<String> {
    let rule = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    let described = || pattern(rule, QUALIFIED_PATTERN, &["MyName", "my.name", "123-abc"]);
    let mut problems = Vec::new();
    let name = match key.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        ["", name] => {
            problems.push("prefix part must be non-empty".into());
            *name
        }
        [prefix, name] => {
            problems.extend(check_subdomain(prefix).iter().map(|problem| format!("prefix part {problem}")));
            *name
        }
        _ => {
            let with_prefix = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a qualified name {} {with_prefix}", described())];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".into());
    }
    problems.extend(too_long(name, LABEL_LIMIT_BYTES).iter().map(|problem| format!("name part {problem}")));
    if !is_qualified(name) {
        problems.push(format!("name part {}", described()));
    }
    problems
}

/// Why `value` is no label value.
pub fn check_label_value(value: &str) -> Vec<String> {
    let mut problems = too_long(value, LABEL_LIMIT_BYTES);
    if !value.is_empty() && !is_qualified(value) {
        let rule = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end \
                    with an alphanumeric character";
        problems.push(pattern(rule, &format!("({QUALIFIED_PATTERN})?"), &["MyValue", "my_value", "12345"]));
    }
    problems
}

/// Why `name` is no name of a port.
pub fn check_port_name(name: &str) -> Vec<String> {
    let mut problems = too_long(name, PORT_NAME_LIMIT_BYTES);
    let mut unless = |holds: bool, problem: &str| problems.extend((!holds).then(|| problem.to_owned()));
    unless(
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    );
    unless(name.bytes().any(|b| b.is_ascii_lowercase()), "must contain at least one letter (a-z)");
    unless(!name.contains("--"), "must not contain consecutive hyphens");
    unless(!(name.starts_with('-') || name.ends_with('-')), "must not begin or end with a hyphen");
    problems
}

/// Why `name` is no name of an environment variable.
pub fn check_env_name(name: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let is_good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.bytes().all(is_good) {
        let rule = "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a \
                    digit";
        let examples = ["my.env-name", "MY_ENV.NAME", "MyEnvName1"];
        problems.push(pattern(rule, "[-._a-zA-Z][-._a-zA-Z0-9]*", &examples));
    }
    match name {
        "." | ".." => problems.push(format!("must not be '{name}'")),
        name if name.starts_with("..") => problems.push("must not start with '..'".into()),
        _ => {}
    }
    problems
}

/// Why `text` is no number of percents.
pub fn check_percent(text: &str) -> Vec<String> {
    let number = text.strip_suffix('%').unwrap_or_default();
    if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) {
        return Vec::new();
    }
    let rule = "a valid percent string must be a numeric string followed by an ending '%'";
    vec![pattern(rule, "[0-9]+%", &["1%", "93%"])]
}

/// `base` with five random characters of the alphabet that spells no words, cut so that the whole has at most 63
/// (apiserver `storage/names`).
pub fn generate(base: &str, random: &mut fastrand::Rng) -> String {
    let mut cut = base.len().min(LABEL_LIMIT_BYTES - SUFFIX_BYTES);
    while !base.is_char_boundary(cut) {
        cut -= 1;
    }
    let mut name = base[..cut].to_owned();
    name.extend((0..SUFFIX_BYTES).map(|_| char::from(SUFFIX_ALPHABET[random.usize(..SUFFIX_ALPHABET.len())])));
    name
}

/// Why `name` is no RFC 1035 label.
pub fn check_label_1035(name: &str) -> Vec<String> {
    let mut problems = too_long(name, LABEL_LIMIT_BYTES);
    if !is_label(name) || name.starts_with(|c: char| c.is_ascii_digit()) {
        let rule = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end \
                    with an alphanumeric character";
        problems.push(pattern(rule, "[a-z]([-a-z0-9]*[a-z0-9])?", &["my-name", "abc-123"]));
    }
    problems
}

fn check_path_segment(name: &str) -> Vec<String> {
    let illegal = ["/", "%"].into_iter().filter(|illegal| name.contains(illegal));
    illegal.map(|illegal| format!("may not contain '{illegal}'")).collect()
}

fn is_subdomain(name: &str) -> bool {
    name.split('.').all(is_label)
}

/// Whether `name` is made as an RFC 1123 label, whatever its length.
fn is_label(name: &str) -> bool {
    is_made_of(name, |b| b.is_ascii_lowercase() || b.is_ascii_digit(), |b| b == b'-')
}

fn is_qualified(name: &str) -> bool {
    is_made_of(name, |b| b.is_ascii_alphanumeric(), |b| matches!(b, b'-' | b'_' | b'.'))
}

/// Whether `name` is not empty, has `outer` at both ends and `outer` or `inner` between.
fn is_made_of(name: &str, outer: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = name.as_bytes();
    let ends = bytes.first().is_some_and(|b| outer(*b)) && bytes.last().is_some_and(|b| outer(*b));
    ends && bytes.iter().all(|b| outer(*b) || inner(*b))
}

fn too_long(name: &str, limit_bytes: usize) -> Vec<String> {
    if name.len() > limit_bytes { vec![format!("must be no more than {limit_bytes} characters")] } else { Vec::new() }
}

fn pattern(rule: &str, pattern: &str, examples: &[&str]) -> String {
    let examples = examples.iter().map(|example| format!("'{example}', ")).collect::<Vec<_>>().join(" or ");
    format!("{rule} (e.g. {examples}regex used for validation is '{pattern}')")
}

const LABEL_PATTERN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED_PATTERN: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
/// RFC 1123 and RFC 1035: a label has at most 63 octets. Kubernetes holds label keys and values to the same.
const LABEL_LIMIT_BYTES: usize = 63;
/// RFC 1123: a domain name, written out.
const SUBDOMAIN_LIMIT_BYTES: usize = 253;
/// RFC 6335: the name of a service.
const PORT_NAME_LIMIT_BYTES: usize = 15;
/// Five of 27 characters are 14 million names; a clash is answered with 409 and retried by the client.
pub(super) const SUFFIX_BYTES: usize = 5;
/// apimachinery `util/rand`: no vowels and nothing that looks like one.
const SUFFIX_ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kube::catalog::lookup;
    use proptest::prelude::*;

    fn check(group: &str, plural: &str, name: &str) -> Vec<String> {
        check_name(lookup(group, "v1", plural).unwrap().1, name)
    }

    #[test]
    fn each_kind_has_its_rule() {
        // Messages of a kube-apiserver 1.31.
        assert_eq!(
            check("", "pods", "Bad_Name"),
            [
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an \
              alphanumeric character (e.g. 'example.com', regex used for validation is \
              '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
            ]
        );
        assert_eq!(check("", "namespaces", "a.b"), ["must not contain dots"]);
        assert_eq!(
            check("", "namespaces", "-a"),
            [
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an \
              alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
            ]
        );
        assert_eq!(
            check("", "services", "1a"),
            [
                "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with \
              an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
            ]
        );
        assert_eq!(
            check("rbac.authorization.k8s.io", "clusterroles", "system:Node/%"),
            ["may not contain '/'", "may not contain '%'"]
        );
        assert_eq!(check("rbac.authorization.k8s.io", "clusterroles", ".."), ["may not be '..'"]);
        assert!(check("rbac.authorization.k8s.io", "clusterroles", "system:node").is_empty());
        assert!(check("", "configmaps", "kube-root-ca.crt").is_empty());
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(check("", "namespaces", &"a".repeat(64)), ["must be no more than 63 characters"]);
        assert!(check("", "namespaces", &"a".repeat(63)).is_empty());
        assert_eq!(check("", "pods", &"a".repeat(254)), ["must be no more than 253 characters"]);
    }

    #[test]
    fn a_prefix_may_end_in_a_dash() {
        let pods = lookup("", "v1", "pods").unwrap().1;
        assert!(check_name_prefix(pods, "cattle-cleanup-").is_empty());
        assert!(check_name_prefix(pods, "x").is_empty());
        assert!(!check_name_prefix(pods, "-").is_empty());
        assert!(!check_name_prefix(pods, "A-b-").is_empty());
    }

    #[test]
    fn label_keys_and_values() {
        // Cases of apimachinery's validation_test.go.
        for key in [
            "simple",
            "now-with-dashes",
            "1-starts-with-num",
            "1.2.3.4/5678",
            "Uppercase_Is_OK_123",
            "example.com/Uppercase",
        ] {
            assert_eq!(check_qualified_name(key), Vec::<String>::new(), "{key}");
        }
        for key in
            ["", "nospecialchars%^=@", "cantendwithadash-", "only/one/slash", "example.com/", "/x", "Example.com/x"]
        {
            assert!(!check_qualified_name(key).is_empty(), "{key}");
        }
        assert!(check_label_value("").is_empty());
        assert!(check_label_value("v1.31.4_k3s-1").is_empty());
        assert!(!check_label_value("a b").is_empty());
        assert!(!check_label_value(&"a".repeat(64)).is_empty());
    }

    #[test]
    fn ports_variables_and_percents() {
        // Cases of apimachinery's validation_test.go.
        for name in ["telnet", "re-mail-ck", "pop3", "a", "a-1", "1-a", "a-1-b-2-c"] {
            assert!(check_port_name(name).is_empty(), "{name}");
        }
        for name in ["longerthan15characters", "", "12345", "1-2-3-4", "-begin", "end-", "two--hyphens", "whois++"] {
            assert!(!check_port_name(name).is_empty(), "{name}");
        }
        for name in ["abc", "aBc", "my_v.ar", "-a", "."] {
            assert_eq!(check_env_name(name).is_empty(), name != ".", "{name}");
        }
        assert_eq!(check_env_name("..abc"), ["must not start with '..'"]);
        assert!(!check_env_name("a=b").is_empty());
        assert!(check_percent("0%").is_empty() && check_percent("500%").is_empty());
        for text in ["", "%", "1", "-1%", "a%", "1 %"] {
            assert!(!check_percent(text).is_empty(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_generated_name_is_a_name(base in "[a-z]([a-z0-9-]{0,80}[a-z0-9])?", seed: u64) {
            let name = generate(&base, &mut fastrand::Rng::with_seed(seed));
            prop_assert!(name.len() <= 63);
            prop_assert!(name.starts_with(&base[..base.len().min(58)]));
            prop_assert!(check("", "pods", &name).is_empty(), "{}", name);
        }

        #[test]
        fn any_base_is_cut_at_a_character(base in ".{0,80}", seed: u64) {
            prop_assert!(generate(&base, &mut fastrand::Rng::with_seed(seed)).len() <= 63);
        }
    }
}
