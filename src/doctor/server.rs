//! One configured Rancher, from its URL to what the fleet will cost it.

use super::{Finding, cost, network, upstream};
use crate::config::{Proxy, RancherUrl, ServerSettings, Settings};
use crate::rancher::{Client, RancherError, Trust};

/// Examines a server that is to take so many clusters; what depends on something that failed is left out.
pub(super) fn examine(server: &ServerSettings, settings: &Settings, clusters: u32) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(client) = reach(server, settings, &mut findings) else { return findings };
    let seen = upstream::examine(&client, server, &mut findings);
    findings.extend(cost::findings(seen.clusters, clusters));
    findings
}

/// The client of a server that can be asked.
fn reach(server: &ServerSettings, settings: &Settings, findings: &mut Vec<Finding>) -> Option<Client> {
    let failed = |error: &RancherError| Finding::fail("TLS", error.to_string(), error.remedy());
    let url = match RancherUrl::parse(&server.url) {
        Ok(url) => url,
        Err(problem) => {
            findings.push(Finding::fail("URL", problem, "write RancherURL as https://HOST[:PORT]"));
            return None;
        }
    };
    findings.push(Finding::ok("URL", server.url.clone()));
    let token = match server.api_token() {
        Ok(token) => token,
        Err(error) => {
            findings.push(Finding::fail("token", error.to_string(), error.remedy()));
            return None;
        }
    };
    let trust = Trust::load(server.ca_file.as_deref(), settings.insecure_skip_tls_verify);
    let trust = trust.map_err(|error| findings.push(failed(&error))).ok()?;
    let proxy = Proxy::for_url(&url, |name| std::env::var(name).ok());
    let remedy = "mend the variable, or unset it";
    let proxy = proxy.map_err(|problem| findings.push(Finding::fail("proxy", problem, remedy))).ok()?;
    if !network::examine(&url, proxy.as_ref(), (server, &trust), settings.connect_timeout, findings) {
        return None;
    }
    let client = Client::new(&server.url, token, trust, proxy.as_ref(), settings.request_timeout);
    let mut client = client.map_err(|error| findings.push(failed(&error))).ok()?;
    if let (Err(RancherError::Untrusted { .. }), Some(checksum)) = (client.probe(), &server.ca_checksum)
        && let Err(error) = client.trust_announced(checksum, settings.request_timeout)
    {
        findings.push(failed(&error));
        return None;
    }
    Some(client)
}
