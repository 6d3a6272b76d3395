//! From a URL to a certificate: name, connection, TLS.

use super::Finding;
use crate::config::{Proxy, RancherUrl, ServerSettings};
use crate::rancher::{Presented, Trust};
use jiff::{SignedDuration, Timestamp};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// Looks whether the way to a server is open; false if nothing that lies behind can be asked.
pub(super) fn examine(
    url: &RancherUrl,
    proxy: Option<&Proxy>,
    (server, trust): (&ServerSettings, &Trust),
    timeout: Duration,
    findings: &mut Vec<Finding>,
) -> bool {
    let (host, port) = proxy.map_or((url.host.as_str(), url.port), |proxy| (proxy.host.as_str(), proxy.port));
    if let Some(proxy) = proxy {
        let detail = format!("{} leads through {}", proxy.variable, proxy.authority());
        findings.push(Finding::ok("proxy", detail));
    }
    let Some(addresses) = resolve(host, port, findings) else { return false };
    let Some(address) = connect(&addresses, timeout, findings) else { return false };
    // Through a proxy the calls that follow tell of the certificate.
    if !url.https || proxy.is_some() { true } else { certificate(url, address, (server, trust), timeout, findings) }
}

fn resolve(host: &str, port: u16, findings: &mut Vec<Finding>) -> Option<Vec<SocketAddr>> {
    let began = Instant::now();
    match (host, port).to_socket_addrs().map(Vec::from_iter) {
        Ok(addresses) if !addresses.is_empty() => {
            let names: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            let detail = format!("{host} is {} ({} ms)", names.join(", "), began.elapsed().as_millis());
            findings.push(Finding::ok("DNS", detail));
            Some(addresses)
        }
        Ok(_) => {
            findings.push(Finding::fail("DNS", format!("{host} has no address"), NO_NAME));
            None
        }
        Err(error) => {
            findings.push(Finding::fail("DNS", format!("{host} is not found: {error}"), NO_NAME));
            None
        }
    }
}

fn connect(addresses: &[SocketAddr], timeout: Duration, findings: &mut Vec<Finding>) -> Option<SocketAddr> {
    let mut open = Vec::new();
    let mut problems = Vec::new();
    for address in addresses {
        match TcpStream::connect_timeout(address, timeout) {
            Ok(_) => open.push(*address),
            Err(error) => problems.push(format!("{address}: {error}")),
        }
    }
    let problems = problems.join("; ");
    findings.push(match (open.len(), problems.is_empty()) {
        (0, _) => {
            Finding::fail("connection", problems, "check the port in RancherURL, the server and the firewalls between")
        }
        (_, true) => Finding::ok("connection", format!("{} of {} addresses accept", open.len(), addresses.len())),
        (_, false) => Finding::warn(
            "connection",
            problems,
            "some addresses do not accept: tunnels try them in turn, and each attempt there is lost",
        ),
    });
    open.first().copied()
}

fn certificate(
    url: &RancherUrl,
    address: SocketAddr,
    (server, trust): (&ServerSettings, &Trust),
    timeout: Duration,
    findings: &mut Vec<Finding>,
) -> bool {
    let presented = match Presented::fetch(address, &url.host, timeout) {
        Ok(presented) => presented,
        Err(problem) => {
            let remedy = "see that RancherURL leads to a port that speaks TLS 1.2 or 1.3";
            findings.push(Finding::fail("TLS", problem, remedy));
            return false;
        }
    };
    let now = Timestamp::now();
    let trusted = trust.judge(&presented, now);
    let soon = now + SignedDuration::from_hours(24 * RENEW_WITHIN_DAYS);
    findings.push(match &trusted {
        _ if trust.is_insecure() => Finding::warn(
            "TLS",
            "InsecureSkipTLSVerify: any certificate is accepted",
            "name the issuing CA in CAFile instead; whoever sits between gets the token",
        ),
        Ok(()) if trust.judge(&presented, soon).is_err() => Finding::warn(
            "TLS",
            format!("the certificate is trusted, but not in {RENEW_WITHIN_DAYS} days any more"),
            "have it renewed: tunnels that reconnect afterwards are refused",
        ),
        Ok(()) => Finding::ok("TLS", format!("the certificate is trusted ({})", presented.summary())),
        Err(error) if error.to_string().contains("xpired") => Finding::fail(
            "TLS",
            format!("the certificate has expired: {error}"),
            "renew Rancher's certificate; check this host's clock",
        ),
        // By its checksum Rancher's own CA is trusted later on.
        Err(_) if server.ca_checksum.is_some() => {
            Finding::ok("TLS", "trusted if CAChecksum is that of Rancher's cacerts")
        }
        Err(error) => Finding::fail("TLS", format!("the certificate is not trusted: {error}"), untrusted(error)),
    });
    trusted.is_ok() || trust.is_insecure() || server.ca_checksum.is_some()
}

fn untrusted(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(
            rustls::CertificateError::NotValidForName | rustls::CertificateError::NotValidForNameContext { .. },
        ) => "use a name that the certificate is for in RancherURL, or have one issued for this name",
        _ => {
            "put the issuing CA's PEM file into CAFile (curl -sk URL/cacerts prints it), or its checksum from Rancher's import \
             command into CAChecksum"
        }
    }
}

const NO_NAME: &str = "check the host in RancherURL and this host's resolver (/etc/resolv.conf, /etc/hosts)";
/// Test fleets are held for days; a month leaves time to renew.
const RENEW_WITHIN_DAYS: i64 = 30;
