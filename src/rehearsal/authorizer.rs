//! Who may open a tunnel: the rules and the words of Rancher's authorizers, in their order (rancher/rancher
//! `pkg/tunnelserver/chain.go`, `pkg/tunnelserver/mcmauthorizer`).

use super::{Channel, Fleet};
use crate::http1::Headers;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Instant;

/// How a cluster's API is reached, as the API tunnel announces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Params {
    /// `host:port`: the Connect target and the name in the server's certificate.
    pub address: String,
    /// The bearer token that Rancher sends with each request.
    pub token: Arc<str>,
    /// PEM of the authority that signed the API's certificate.
    pub ca_pem: Arc<[u8]>,
}

/// A tunnel that may be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The cluster it belongs to.
    pub cluster: String,
    /// Which of its two tunnels.
    pub channel: Channel,
    /// What it announces; the API tunnel only.
    pub params: Option<Params>,
}

/// The answer to a tunnel that may not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// 400 when an authorizer failed, 401 when none felt responsible.
    pub status: u16,
    /// What failed.
    pub text: String,
}

/// Decides on the upgrade request of a tunnel by its headers.
pub fn authorize(headers: &Headers, fleet: &Fleet, now: Instant) -> Result<Admission, Refusal> {
    // This header decides alone: with it, a `stv-cluster-` token in `Authorization` is not even looked at.
    if let Some(token) = headers.get("X-API-Tunnel-Token") {
        let cluster = fleet.authenticate(token, now).ok_or_else(|| failed("cluster not found"))?;
        let params = parse_params(headers.get("X-API-Tunnel-Params").unwrap_or_default())?;
        return Ok(Admission { cluster, channel: Channel::Api, params: Some(params) });
    }
    headers
        .get("Authorization")
        .and_then(|value| value.strip_prefix("Bearer stv-cluster-"))
        .and_then(|token| fleet.authenticate(token, now))
        .map(|cluster| Admission { cluster, channel: Channel::Steve, params: None })
        .ok_or_else(|| Refusal { status: 401, text: "failed authentication".to_owned() })
}

#[derive(Deserialize)]
struct Input {
    cluster: Option<ClusterInput>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ClusterInput {
    address: String,
    token: String,
    ca_cert: String,
}

fn parse_params(header: &str) -> Result<Params, Refusal> {
    let json = BASE64_STANDARD.decode(header).map_err(|error| failed(format!("illegal base64 data: {error}")))?;
    let input: Input = serde_json::from_slice(&json).map_err(|error| failed(error.to_string()))?;
    let cluster = input.cluster.ok_or_else(|| failed("missing node or cluster registration info"))?;
    for (field, value) in [("address", &cluster.address), ("token", &cluster.token), ("caCert", &cluster.ca_cert)] {
        if value.is_empty() {
            return Err(failed(format!("invalid input, {field} empty")));
        }
    }
    let ca_pem = BASE64_STANDARD
        .decode(&cluster.ca_cert)
        .map_err(|error| failed(format!("illegal base64 data in caCert: {error}")))?;
    Ok(Params { address: cluster.address, token: cluster.token.into(), ca_pem: ca_pem.into() })
}

fn failed(text: impl Into<String>) -> Refusal {
    Refusal { status: 400, text: text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::{Behaviour, Labels};

    /// {"cluster":{"address":"10.43.0.1:443","token":"t","caCert":"UEVN"}}
    const PARAMS: &str = "eyJjbHVzdGVyIjp7ImFkZHJlc3MiOiIxMC40My4wLjE6NDQzIiwidG9rZW4iOiJ0IiwiY2FDZXJ0IjoiVUVWTiJ9fQ==";
    /// {"cluster":{"address":"10.43.0.1:443","token":"","caCert":"UEVN"}}
    const WITHOUT_TOKEN: &str =
        "eyJjbHVzdGVyIjp7ImFkZHJlc3MiOiIxMC40My4wLjE6NDQzIiwidG9rZW4iOiIiLCJjYUNlcnQiOiJVRVZOIn19";

    fn fleet_with_one() -> (Fleet, String, String) {
        let now = Instant::now();
        let fleet = Fleet::new("bearer", Behaviour::immediate(), 7);
        let id = fleet.create("edge", Labels::new(), now).unwrap();
        let token = fleet.read(&id, now, |cluster| cluster.token.clone()).unwrap();
        (fleet, id, token)
    }

    fn decide(fleet: &Fleet, headers: &[(&str, &str)]) -> Result<Admission, (u16, String)> {
        let headers = headers.iter().copied().collect();
        authorize(&headers, fleet, Instant::now()).map_err(|refusal| (refusal.status, refusal.text))
    }

    #[test]
    fn admits_the_api_tunnel_with_its_parameters() {
        let (fleet, id, token) = fleet_with_one();
        let admission = decide(&fleet, &[("X-API-Tunnel-Token", &token), ("X-API-Tunnel-Params", PARAMS)]).unwrap();
        assert_eq!((admission.cluster, admission.channel), (id, Channel::Api));
        let params = Params { address: "10.43.0.1:443".into(), token: "t".into(), ca_pem: b"PEM".as_slice().into() };
        assert_eq!(admission.params, Some(params));
    }

    #[test]
    fn admits_the_steve_tunnel_by_its_authorization_alone() {
        let (fleet, id, token) = fleet_with_one();
        let admission = decide(&fleet, &[("Authorization", &format!("Bearer stv-cluster-{token}"))]).unwrap();
        assert_eq!(admission, Admission { cluster: id, channel: Channel::Steve, params: None });
    }

    #[test]
    fn tunnel_headers_on_the_steve_socket_make_it_an_api_tunnel() {
        let (fleet, _, token) = fleet_with_one();
        let steve = format!("Bearer stv-cluster-{token}");
        let headers =
            [("Authorization", steve.as_str()), ("X-API-Tunnel-Token", &token), ("X-API-Tunnel-Params", PARAMS)];
        assert_eq!(decide(&fleet, &headers).unwrap().channel, Channel::Api);
    }

    #[test]
    fn refuses_in_the_words_of_rancher() {
        let (fleet, _, token) = fleet_with_one();
        let with = |params| decide(&fleet, &[("X-API-Tunnel-Token", &token), ("X-API-Tunnel-Params", params)]);
        let text = |text: &str| Err((400, text.to_owned()));
        assert_eq!(decide(&fleet, &[("X-API-Tunnel-Token", "unknown")]), text("cluster not found"));
        assert_eq!(with("e30="), text("missing node or cluster registration info"));
        assert_eq!(with(WITHOUT_TOKEN), text("invalid input, token empty"));
        assert!(with("%").unwrap_err().1.starts_with("illegal base64 data"));
        let unauthenticated = Err((401, "failed authentication".to_owned()));
        assert_eq!(decide(&fleet, &[]), unauthenticated);
        assert_eq!(decide(&fleet, &[("Authorization", "Bearer stv-cluster-unknown")]), unauthenticated);
        assert_eq!(decide(&fleet, &[("Authorization", &format!("Bearer {token}"))]), unauthenticated);
    }
}
