//! The checked values a summary is written with. Each refuses what Kubernetes would refuse, and says what it expects.

use super::placeholder::stand_in;
use super::quantity::is_quantity;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Whether `text` is a DNS label as Kubernetes wants it for clusters and namespaces (RFC 1123): 1 to 63 of `a-z`, `0-9` and
/// `-`, with a letter or digit at both ends.
pub fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        && bytes.first().is_some_and(|b| *b != b'-')
        && bytes.last().is_some_and(|b| *b != b'-')
}

/// Labels and annotations.
pub(super) type Labels = BTreeMap<LabelKey, LabelValue>;
/// Annotations.
pub(super) type Annotations = BTreeMap<LabelKey, Text>;
/// Amounts by resource name.
pub(super) type Resources = BTreeMap<ResourceName, Quantity>;

/// Defines a text type whose values pass `check` (placeholders stand in for something short) or are refused with `expected`.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $check:expr, $expected:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) struct $name(pub(super) String);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                let check: fn(&str) -> bool = $check;
                let parse = |text: &str| check(&stand_in(text)).then(|| $name(text.into()));
                deserializer.deserialize_any(Scalar { expected: $expected, parse })
            }
        }
    };
}

checked_text!(
    /// Any text.
    Text, |_| true, "text"
);
checked_text!(
    /// The name of an object (DNS subdomain, RFC 1123).
    Name, |name| name.len() <= 253 && name.split('.').all(|part| part.len() <= 253 && is_subdomain_part(part)),
    "a name of lower-case letters, digits, `-` and `.`, with a letter or digit at both ends"
);
checked_text!(
    /// The name of a namespace or service (DNS label).
    Label, is_dns_label, "a name of up to 63 lower-case letters, digits and `-`, with a letter or digit at both ends"
);
checked_text!(
    /// An amount of a resource.
    Quantity, is_quantity, "a quantity such as 500m, 2 or 4Gi"
);
checked_text!(
    /// The name of a resource.
    ResourceName,
    |name| matches!(name, "cpu" | "memory" | "pods" | "ephemeral-storage") || name.starts_with("hugepages-") || name.contains('/'),
    "cpu, memory, pods, ephemeral-storage or one with a domain such as nvidia.com/gpu"
);
checked_text!(
    /// The key of a label or annotation.
    LabelKey,
    |key| {
        let (prefix, name) = key.split_once('/').unwrap_or(("x", key));
        !name.is_empty() && is_label_text(name) && prefix.len() <= 253 && prefix.split('.').all(is_subdomain_part)
    },
    "a label key such as app or example.com/app"
);
checked_text!(
    /// The value of a label.
    LabelValue, is_label_text, "up to 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends"
);
checked_text!(
    /// The role of a node; it becomes the label `node-role.kubernetes.io/<role>`.
    Role, |role| !role.is_empty() && is_label_text(role), "a role such as control-plane, etcd or worker"
);
checked_text!(
    /// An IP address, or none: `<none>` and `None` as kubectl prints them.
    Address, |ip| matches!(ip, "<none>" | "None" | "") || ip.split(',').all(|ip| ip.trim().parse::<core::net::IpAddr>().is_ok()),
    "an IP address"
);

/// A `{{cluster-name}}` in an `Address` would have failed above, so the text is what it is.
impl Address {
    /// The addresses, several where kubectl prints several.
    pub(super) fn list(&self) -> Vec<&str> {
        self.0.split(',').map(str::trim).filter(|ip| !matches!(*ip, "<none>" | "None" | "")).collect()
    }
}

/// How many of how many are ready: `2/3`, or the whole number `3` for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready {
    pub(super) ready: usize,
    pub(super) total: usize,
}

impl<'de> Deserialize<'de> for Ready {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ready, D::Error> {
        let parse = |text: &str| {
            let (ready, total) = text.split_once('/').unwrap_or((text, text));
            let (ready, total) = (ready.parse().ok()?, total.parse().ok()?);
            (ready <= total && total <= COUNT_MAX).then_some(Ready { ready, total })
        };
        deserializer.deserialize_any(Scalar { expected: "how many of how many are ready, such as 2/3", parse })
    }
}

/// A number of objects, up to [`COUNT_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count(pub(super) usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
        let parse = |text: &str| text.parse().ok().filter(|count| *count <= COUNT_MAX).map(Count);
        deserializer.deserialize_any(Scalar { expected: "a whole number from 0 to 10000", parse })
    }
}

/// No entry makes more objects than this: more than Kubernetes' largest tested clusters have nodes (5,000) is a typing error.
pub(super) const COUNT_MAX: usize = 10_000;

/// The content of a secret or configmap: keys and texts, or just how many keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    Entries(BTreeMap<DataKey, Text>),
    Keys(usize),
}

checked_text!(
    /// A key of a secret or configmap.
    DataKey, |key| !key.is_empty() && key.len() <= 253 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)),
    "a key of letters, digits, `-`, `_` and `.`"
);

impl Default for Data {
    fn default() -> Data {
        Data::Keys(0)
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Data, D::Error> {
        struct DataVisitor;
        impl<'de> Visitor<'de> for DataVisitor {
            type Value = Data;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of keys to texts, or a number of keys up to 1000")
            }

            fn visit_u64<E: de::Error>(self, keys: u64) -> Result<Data, E> {
                match usize::try_from(keys) {
                    Ok(keys) if keys <= DATA_KEYS_MAX => Ok(Data::Keys(keys)),
                    _ => Err(E::invalid_value(de::Unexpected::Unsigned(keys), &self)),
                }
            }

            fn visit_unit<E>(self) -> Result<Data, E> {
                Ok(Data::default())
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Data, A::Error> {
                Deserialize::deserialize(de::value::MapAccessDeserializer::new(map)).map(Data::Entries)
            }
        }
        deserializer.deserialize_any(DataVisitor)
    }
}

/// More keys would hardly fit into the 1 MiB that Kubernetes allows.
const DATA_KEYS_MAX: usize = 1000;

/// Reads a scalar by its text: YAML's numbers and booleans are what people mean by labels, quantities and versions.
///
/// The check is part of the visit, since only then does the error carry the position of the scalar.
struct Scalar<P> {
    expected: &'static str,
    parse: P,
}

impl<T, P: Fn(&str) -> Option<T>> Visitor<'_> for Scalar<P> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::custom(format_args!("`{text}` is not valid, expected {}", self.expected)))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }
}

fn is_subdomain_part(part: &str) -> bool {
    let edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    part.bytes().all(|b| edge(&b) || b == b'-')
        && part.as_bytes().first().is_some_and(edge)
        && part.as_bytes().last().is_some_and(edge)
}

fn is_label_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
        && bytes.first().is_none_or(u8::is_ascii_alphanumeric)
        && bytes.last().is_none_or(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts<T: for<'de> Deserialize<'de>>(yaml: &str) -> bool {
        serde_yaml::from_str::<T>(yaml).is_ok()
    }

    #[test]
    fn dns_labels() {
        for name in ["a", "edge-0001", "0", &"a".repeat(63)] {
            assert!(is_dns_label(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a.b", "a_b", "ä", &"a".repeat(64)] {
            assert!(!is_dns_label(name), "{name}");
        }
    }

    #[test]
    fn names_may_have_placeholders() {
        assert!(accepts::<Name>("'{{cluster-name}}-node.1'"));
        assert!(!accepts::<Name>("Node"));
        assert!(!accepts::<Name>("a..b"));
        assert!(accepts::<Label>("x1"));
        assert!(!accepts::<Label>("x.1"));
    }

    #[test]
    fn labels_as_kubernetes_takes_them() {
        for key in ["app", "app.kubernetes.io/name", "A_b.c"] {
            assert!(accepts::<LabelKey>(key), "{key}");
        }
        for key in ["''", "a b", "/x", "x/", "Ex.com/x", "a/b/c"] {
            assert!(!accepts::<LabelKey>(key), "{key}");
        }
        assert!(accepts::<LabelValue>("''"));
        assert!(accepts::<LabelValue>("true"));
        assert!(!accepts::<LabelValue>("-x"));
    }

    #[test]
    fn ready_and_count_are_bounded() {
        assert_eq!(serde_yaml::from_str::<Ready>("2/3").unwrap(), Ready { ready: 2, total: 3 });
        for yaml in ["3/2", "x", "1/", "1/10001", "-1/1"] {
            assert!(!accepts::<Ready>(yaml), "{yaml}");
        }
        assert!(accepts::<Count>("10000"));
        assert!(!accepts::<Count>("10001"));
        assert!(!accepts::<Count>("-1"));
    }
}
