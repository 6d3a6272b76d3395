//! The stand-in's REST API: those parts of Rancher's `/v3` (norman) that an importing client uses, without I/O.
//!
//! Paging follows `norman/parse/collection.go`.

use super::norman::{NormanError, Query, collection, not_found, parse_object};
use super::{Cluster, Fleet, Labels, Reply};
use crate::http1::{Method, Request};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Instant;

/// Everything a request is answered from.
#[derive(Debug, Clone, Copy)]
pub struct Rest<'a> {
    /// The clusters.
    pub fleet: &'a Fleet,
    /// The value of the `cacerts` setting.
    pub ca_pem: &'a str,
}

type Answer = Result<(u16, Value), NormanError>;

impl Rest<'_> {
    /// Answers one request.
    pub fn handle(&self, request: &Request, now: Instant) -> Reply {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        if path == "/ping" {
            return Reply::text(200, "pong");
        }
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        match self.route(request, &segments, &Query::parse(query), now) {
            Ok((status, value)) => Reply::json(status, &value),
            Err(error) => error.into(),
        }
    }

    fn route(&self, request: &Request, segments: &[&str], query: &Query, now: Instant) -> Answer {
        let base = base_url(request);
        // The only resource that needs no token: clients learn from it whom to trust.
        if let (Method::Get, ["v3", "settings", "cacerts"]) = (&request.method, segments) {
            return Ok((200, self.setting(&base, "cacerts", self.ca_pem)));
        }
        self.check_token(request)?;
        match (&request.method, segments) {
            (Method::Get, ["v3", "settings", "server-url"]) => Ok((200, self.setting(&base, "server-url", &base))),
            (Method::Get, ["v3", "settings", "server-version"]) => {
                Ok((200, self.setting(&base, "server-version", SERVER_VERSION)))
            }
            (Method::Get, ["v3", "clusters"]) => self.list(&base, query, now),
            (Method::Post, ["v3", "clusters" | "cluster"]) => self.create(&base, &request.body, now),
            (Method::Get, ["v3", "clusters", id]) => self.get(&base, id, now),
            (Method::Delete, ["v3", "clusters", id]) => self.delete(&base, id, now),
            (Method::Get, ["v3", "clusters", id, "clusterregistrationtokens"]) => self.tokens(&base, id, now),
            (Method::Get, ["v3", "clusterregistrationtokens"]) => match query.get("clusterId") {
                Some(id) => self.tokens(&base, id, now),
                None => Ok((200, collection(&base, "clusterRegistrationToken", Vec::new(), MAX_LIMIT, None))),
            },
            (Method::Post, ["v3", "clusterregistrationtokens"]) => self.create_token(&base, &request.body, now),
            (Method::Get | Method::Delete, _) => Err(not_found()),
            _ => Err(NormanError::new(405, "MethodNotAllow", "Method not allowed")),
        }
    }

    fn check_token(&self, request: &Request) -> Result<(), NormanError> {
        let presented = request.headers.get("Authorization").and_then(|value| value.strip_prefix("Bearer "));
        if presented == Some(self.fleet.bearer.as_str()) {
            return Ok(());
        }
        Err(NormanError::new(401, "Unauthorized", "must authenticate"))
    }

    fn setting(&self, base: &str, name: &str, value: &str) -> Value {
        let links = json!({"self": format!("{base}/v3/settings/{name}")});
        json!({"type": "setting", "id": name, "name": name, "value": value, "links": links})
    }

    fn list(&self, base: &str, query: &Query, now: Instant) -> Answer {
        let limit = match query.get("limit").map(str::parse::<i64>) {
            None => DEFAULT_LIMIT,
            Some(Ok(-1)) => MAX_LIMIT,
            Some(Ok(limit)) if limit > 0 => (limit as usize).min(MAX_LIMIT),
            Some(_) => return Err(NormanError::new(422, "InvalidFormat", "limit is not a number above 0")),
        };
        let from = query.get("marker").unwrap_or_default();
        let is_asked_for = |cluster: &Cluster| {
            query.get("name").is_none_or(|name| cluster.name == name)
                && query.get("name_prefix").is_none_or(|prefix| cluster.name.starts_with(prefix))
        };
        let (items, next) = self.fleet.page((from, limit), now, is_asked_for, |cluster| cluster_json(base, cluster));
        let next = next.map(|marker| {
            let mut url = format!("{base}/v3/clusters?limit={limit}&marker={marker}");
            for filter in ["name", "name_prefix"] {
                if let Some(value) = query.get(filter) {
                    url.push_str(&format!("&{filter}={}", percent_encoding::utf8_percent_encode(value, UNSAFE)));
                }
            }
            url
        });
        Ok((200, collection(base, "cluster", items, limit, next)))
    }

    fn create(&self, base: &str, body: &[u8], now: Instant) -> Answer {
        let input = parse_object(body)?;
        let name = input.get("name").and_then(Value::as_str).unwrap_or_default();
        if name.is_empty() {
            return Err(NormanError::new(422, "MissingRequired", "Cluster name").about("name"));
        }
        if !is_dns_label(name) {
            return Err(NormanError::new(422, "InvalidFormat", "name is no RFC 1123 label").about("name"));
        }
        let labels = match input.get("labels") {
            None | Some(Value::Null) => Labels::new(),
            Some(labels) => Labels::deserialize(labels)
                .map_err(|error| NormanError::new(422, "InvalidFormat", error.to_string()).about("labels"))?,
        };
        let id = self.fleet.create(name, labels, now).map_err(|_| {
            NormanError::new(422, "NotUnique", format!("Cluster name {name} is in use")).about("Cluster name")
        })?;
        self.get(base, &id, now).map(|(_, value)| (201, value))
    }

    fn get(&self, base: &str, id: &str, now: Instant) -> Answer {
        self.fleet.read(id, now, |cluster| (200, cluster_json(base, cluster))).ok_or_else(not_found)
    }

    fn delete(&self, base: &str, id: &str, now: Instant) -> Answer {
        if !self.fleet.remove(id, now) {
            return Err(not_found());
        }
        // Already gone when removal takes no time; norman then answers without an object.
        Ok(self.get(base, id, now).unwrap_or((200, json!({}))))
    }

    fn tokens(&self, base: &str, id: &str, now: Instant) -> Answer {
        let items = self.fleet.token(id, now).map(|token| token_json(base, id, "default-token", &token));
        Ok((200, collection(base, "clusterRegistrationToken", items.into_iter().collect(), DEFAULT_LIMIT, None)))
    }

    fn create_token(&self, base: &str, body: &[u8], now: Instant) -> Answer {
        let input = parse_object(body)?;
        let id = input.get("clusterId").and_then(Value::as_str).unwrap_or_default();
        if id.is_empty() {
            return Err(NormanError::new(422, "MissingRequired", "clusterId").about("clusterId"));
        }
        self.fleet.read(id, now, |_| ()).ok_or_else(not_found)?;
        // The value is filled in by a controller: empty until then, as in Rancher.
        let token = self.fleet.token(id, now).unwrap_or_default();
        Ok((201, token_json(base, id, "system", &token)))
    }
}

fn cluster_json(base: &str, cluster: &Cluster) -> Value {
    let state = cluster.state();
    let conditions: Vec<Value> = cluster
        .conditions()
        .into_iter()
        .map(|(kind, status)| {
            let status = status.map_or("Unknown", |status| if status { "True" } else { "False" });
            json!({"type": kind, "status": status})
        })
        .collect();
    let url = format!("{base}/v3/clusters/{}", cluster.id);
    json!({
        "type": "cluster",
        "baseType": "cluster",
        "id": cluster.id,
        "name": cluster.name,
        "labels": cluster.labels,
        "created": format!("{:.0}", cluster.created_at),
        "createdTS": cluster.created_at.as_millisecond(),
        "state": state,
        "transitioning": if state == "active" { "no" } else { "yes" },
        "transitioningMessage": "",
        "conditions": conditions,
        "links": {"self": url, "remove": url, "clusterRegistrationTokens": format!("{url}/clusterregistrationtokens")},
        "actions": {},
    })
}

fn token_json(base: &str, cluster: &str, name: &str, token: &str) -> Value {
    let manifest = if token.is_empty() { String::new() } else { format!("{base}/v3/import/{token}_{cluster}.yaml") };
    json!({
        "type": "clusterRegistrationToken",
        "id": format!("{cluster}:{name}"),
        "name": name,
        "clusterId": cluster,
        "namespaceId": cluster,
        "state": "active",
        "token": token,
        "manifestUrl": manifest,
        "links": {"self": format!("{base}/v3/clusterRegistrationTokens/{cluster}:{name}")},
    })
}

/// The URL that the client used, as Rancher derives links from the request.
fn base_url(request: &Request) -> String {
    format!("https://{}", request.headers.get("Host").unwrap_or("localhost"))
}

fn is_dns_label(name: &str) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= 63
        && name.bytes().all(|byte| is_alphanumeric(byte) || byte == b'-')
        && name.bytes().next().is_some_and(is_alphanumeric)
        && name.bytes().last().is_some_and(is_alphanumeric)
}

/// A version whose informers begin with a watch, as the default profile does.
const SERVER_VERSION: &str = "v2.14.0";
const DEFAULT_LIMIT: usize = 1_000;
const MAX_LIMIT: usize = 10_000;
const UNSAFE: &percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rehearsal::Behaviour;
    use std::time::Duration;

    const TOKEN: &str = "token-abcde:secret";

    struct Client {
        fleet: Fleet,
        now: Instant,
    }

    impl Client {
        fn new() -> Client {
            let behaviour = Behaviour {
                token_delay: Duration::from_millis(100),
                authorizer_lag: Duration::ZERO,
                removal_delay: Duration::from_millis(500),
                ..Behaviour::default()
            };
            Client { fleet: Fleet::new(TOKEN, behaviour, 3), now: Instant::now() }
        }

        fn send(&self, method: Method, target: &str, bearer: &str, body: &str) -> (u16, Value) {
            let bearer = format!("Bearer {bearer}");
            let headers = [("Host", "rancher.test:8443"), ("Authorization", bearer.as_str())].into_iter().collect();
            let request = Request { method, target: target.into(), headers, body: body.into() };
            let reply = Rest { fleet: &self.fleet, ca_pem: "PEM" }.handle(&request, self.now);
            let body =
                serde_json::from_slice(&reply.body).unwrap_or(Value::String(String::from_utf8(reply.body).unwrap()));
            (reply.status, body)
        }

        fn get(&self, target: &str) -> (u16, Value) {
            self.send(Method::Get, target, TOKEN, "")
        }

        fn create(&self, name: &str) -> (u16, Value) {
            self.send(Method::Post, "/v3/clusters", TOKEN, &json!({"type": "cluster", "name": name}).to_string())
        }
    }

    #[test]
    fn imports_a_cluster_whose_token_comes_late() {
        let mut client = Client::new();
        let (status, cluster) = client.create("edge-1");
        assert_eq!(
            (status, cluster["name"].as_str(), cluster["state"].as_str()),
            (201, Some("edge-1"), Some("pending"))
        );
        let id = cluster["id"].as_str().unwrap();
        let target = format!("/v3/clusterregistrationtokens?clusterId={id}");
        assert_eq!(client.get(&target).1["data"], json!([]));
        client.now += Duration::from_millis(100);
        let (status, tokens) = client.get(&target);
        assert_eq!(status, 200);
        let token = tokens["data"][0]["token"].as_str().unwrap();
        assert_eq!(token.len(), 54);
        let manifest = format!("https://rancher.test:8443/v3/import/{token}_{id}.yaml");
        assert_eq!(tokens["data"][0]["manifestUrl"], manifest);
        assert_eq!(tokens["data"][0]["id"], format!("{id}:default-token"));
    }

    #[test]
    fn labels_are_kept() {
        let client = Client::new();
        let body = json!({"name": "edge", "labels": {"made-by": "me"}}).to_string();
        assert_eq!(client.send(Method::Post, "/v3/clusters", TOKEN, &body).0, 201);
        assert_eq!(client.get("/v3/clusters?name=edge").1["data"][0]["labels"], json!({"made-by": "me"}));
        let body = json!({"name": "other", "labels": {"made-by": 1}}).to_string();
        let (status, error) = client.send(Method::Post, "/v3/clusters", TOKEN, &body);
        assert_eq!((status, error["fieldName"].as_str()), (422, Some("labels")));
    }

    #[test]
    fn refuses_names_in_normans_words() {
        let client = Client::new();
        assert_eq!(client.create("edge").0, 201);
        let too_long = "a".repeat(64);
        for (name, code) in [
            ("edge", "NotUnique"),
            ("", "MissingRequired"),
            ("Edge", "InvalidFormat"),
            ("-edge", "InvalidFormat"),
            ("edge_1", "InvalidFormat"),
            (too_long.as_str(), "InvalidFormat"),
        ] {
            let (status, error) = client.create(name);
            assert_eq!((status, error["code"].as_str()), (422, Some(code)), "{name}");
            assert_eq!(error["type"], "error");
        }
        let (status, error) = client.send(Method::Post, "/v3/clusters", TOKEN, "{");
        assert_eq!((status, error["code"].as_str()), (422, Some("InvalidBodyContent")));
    }

    #[test]
    fn lists_in_pages_that_link_to_the_next() {
        let client = Client::new();
        for number in 0..5 {
            client.create(&format!("edge-{number}"));
        }
        let (_, first) = client.get("/v3/clusters?limit=3&name_prefix=edge-");
        assert_eq!(first["data"].as_array().unwrap().len(), 3);
        let next = first["pagination"]["next"].as_str().unwrap().strip_prefix("https://rancher.test:8443").unwrap();
        let (_, second) = client.get(next);
        assert_eq!(second["data"].as_array().unwrap().len(), 2);
        assert_eq!(second["pagination"]["next"], Value::Null);
        let (_, found) = client.get("/v3/clusters?name=edge-4");
        assert_eq!(found["data"][0]["name"], "edge-4");
        assert_eq!(client.get("/v3/clusters?limit=none").0, 422);
    }

    #[test]
    fn a_deleted_cluster_lingers_and_then_is_gone() {
        let mut client = Client::new();
        let (_, cluster) = client.create("edge");
        let target = format!("/v3/clusters/{}", cluster["id"].as_str().unwrap());
        let (status, removing) = client.send(Method::Delete, &target, TOKEN, "");
        assert_eq!((status, removing["state"].as_str()), (200, Some("removing")));
        assert_eq!(client.get(&target).0, 200);
        client.now += Duration::from_millis(500);
        assert_eq!(client.get(&target).0, 404);
        assert_eq!(client.send(Method::Delete, &target, TOKEN, "").0, 404);
    }

    #[test]
    fn only_trust_and_ping_need_no_token() {
        let client = Client::new();
        assert_eq!(client.send(Method::Get, "/ping", "", ""), (200, json!("pong")));
        assert_eq!(client.send(Method::Get, "/v3/settings/cacerts", "", "").1["value"], "PEM");
        let (status, error) = client.send(Method::Get, "/v3/clusters", "token-abcde:wrong", "");
        assert_eq!((status, error["code"].as_str()), (401, Some("Unauthorized")));
    }

    #[test]
    fn what_does_not_exist_is_refused_as_norman_does() {
        let client = Client::new();
        assert_eq!(client.get("/v3/users").1["code"], "NotFound");
        assert_eq!(client.send(Method::Put, "/v3/clusters", TOKEN, "").1["code"], "MethodNotAllow");
    }
}
