//! The ports of a service.

use super::values::Text;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use std::fmt;

/// One port of a service.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Port {
    pub(super) name: Option<Text>,
    pub(super) port: u16,
    pub(super) target_port: Option<Text>,
    pub(super) node_port: Option<u16>,
    #[serde(default)]
    pub(super) protocol: Protocol,
}

/// The protocol of a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub(super) enum Protocol {
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    #[serde(rename = "UDP")]
    Udp,
    #[serde(rename = "SCTP")]
    Sctp,
}

/// The ports of a service: a list, one number, or as kubectl prints them: `80:32522/TCP,443/TCP`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ports(pub(super) Vec<Port>);

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ports, D::Error> {
        struct PortsVisitor;
        impl<'de> Visitor<'de> for PortsVisitor {
            type Value = Ports;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of ports, or text such as 80:32522/TCP,443/TCP")
            }

            fn visit_u64<E: de::Error>(self, port: u64) -> Result<Ports, E> {
                self.visit_str(&port.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Ports, E> {
                if matches!(text, "" | "<none>") {
                    return Ok(Ports::default());
                }
                let ports: Option<Vec<Port>> = text.split(',').map(|port| printed_port(port.trim())).collect();
                ports.map(Ports).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_unit<E>(self) -> Result<Ports, E> {
                Ok(Ports::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Ports, A::Error> {
                let mut ports = Vec::new();
                while let Some(OnePort(mut port)) = items.next_element()? {
                    ports.append(&mut port.0);
                }
                Ok(Ports(ports))
            }
        }

        /// An item of the list: a mapping, a number or text.
        struct OnePort(Ports);
        impl<'de> Deserialize<'de> for OnePort {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OnePort, D::Error> {
                struct OnePortVisitor;
                impl<'de> Visitor<'de> for OnePortVisitor {
                    type Value = OnePort;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a port: a number, text such as 80/TCP, or a mapping with `port`")
                    }

                    fn visit_u64<E: de::Error>(self, port: u64) -> Result<OnePort, E> {
                        PortsVisitor.visit_u64(port).map(OnePort)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<OnePort, E> {
                        PortsVisitor.visit_str(text).map(OnePort)
                    }

                    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<OnePort, A::Error> {
                        let port = Port::deserialize(de::value::MapAccessDeserializer::new(map))?;
                        Ok(OnePort(Ports(vec![port])))
                    }
                }
                deserializer.deserialize_any(OnePortVisitor)
            }
        }
        deserializer.deserialize_any(PortsVisitor)
    }
}

/// `PORT[:NODEPORT][/PROTOCOL]`, as kubectl prints it.
fn printed_port(text: &str) -> Option<Port> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "TCP"));
    let (port, node_port) = match ports.split_once(':') {
        Some((port, node_port)) => (port, Some(node_port.parse().ok()?)),
        None => (ports, None),
    };
    let protocol = match protocol {
        "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        "SCTP" => Protocol::Sctp,
        _ => return None,
    };
    Some(Port {
        name: None,
        port: port.parse().ok().filter(|port| *port != 0)?,
        target_port: None,
        node_port,
        protocol,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_in_all_spellings() {
        let port = |port, node_port, protocol| Port { name: None, port, target_port: None, node_port, protocol };
        for (yaml, ports) in [
            ("80:32522/TCP,53/UDP", vec![port(80, Some(32522), Protocol::Tcp), port(53, None, Protocol::Udp)]),
            ("443", vec![port(443, None, Protocol::Tcp)]),
            (
                "[80, 53/UDP, {port: 9, protocol: SCTP}]",
                vec![port(80, None, Protocol::Tcp), port(53, None, Protocol::Udp), port(9, None, Protocol::Sctp)],
            ),
            ("<none>", vec![]),
        ] {
            assert_eq!(serde_yaml::from_str::<Ports>(yaml).unwrap(), Ports(ports), "{yaml}");
        }
        for yaml in ["http", "0", "80/HTTP", "70000", "{port: 80}", "[{prt: 80}]", "[[80]]"] {
            assert!(serde_yaml::from_str::<Ports>(yaml).is_err(), "{yaml}");
        }
    }
}
