//! What Rancher tells of itself, and of the API token that asks.

use super::{Client, RancherError};
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

/// What Rancher tells anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Its version, such as `v2.11.2`.
    pub version: Option<String>,
    /// How far its clock is ahead of this host's, to the second.
    pub skew: Option<SignedDuration>,
}

/// An API token as Rancher shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Whose it is.
    pub user: String,
    /// Until when it is accepted; `None` is for ever.
    pub expires: Option<Timestamp>,
}

impl Client {
    /// Asks for version and time.
    pub fn hello(&self) -> Result<Hello, RancherError> {
        let began = Timestamp::now();
        let (answer, date) = self.get_dated("/rancherversion")?;
        let taken = Timestamp::now().duration_since(began);
        let date = date.and_then(|date| DateTimeParser::new().parse_timestamp(&date).ok());
        // The header is cut to whole seconds.
        let skew = date.map(|date| (date + HALF_A_SECOND).duration_since(began + taken / 2));
        Ok(Hello { version: answer["Version"].as_str().map(str::to_owned), skew })
    }

    /// Its own API token; `None` if Rancher keeps tokens of this kind elsewhere.
    pub fn api_token(&self) -> Result<Option<ApiToken>, RancherError> {
        let Some(name) = self.token_name() else { return Ok(None) };
        let token = match self.get(&format!("/v3/tokens/{name}")) {
            Ok(token) => token,
            Err(RancherError::Refused { status: 404, .. } | RancherError::NotARancher { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let expires = token["expiresAt"].as_str().and_then(|time| time.parse().ok());
        Ok(Some(ApiToken { user: token["userId"].as_str().unwrap_or("an unknown user").to_owned(), expires }))
    }

    /// Whether the token's user may create clusters: norman shows POST in the schema to those only.
    pub fn may_create_clusters(&self) -> Result<bool, RancherError> {
        let schema = self.get("/v3/schemas/cluster")?;
        let methods = schema["collectionMethods"].as_array();
        Ok(methods.is_some_and(|methods| methods.iter().any(|method| method == "POST")))
    }

    /// The value of a setting.
    pub fn setting(&self, name: &str) -> Result<String, RancherError> {
        let setting = self.get(&format!("/v3/settings/{name}"))?;
        Ok(setting["value"].as_str().unwrap_or_default().to_owned())
    }

    /// Whether the kinds of Cluster API are there, by the schema that steve makes of them.
    pub fn has_cluster_api(&self) -> Result<bool, RancherError> {
        match self.get("/v1/schemas/cluster.x-k8s.io.cluster") {
            Ok(_) => Ok(true),
            Err(RancherError::Refused { status: 404, .. } | RancherError::NotARancher { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many clusters there are that the token may see, if Rancher counts them.
    pub fn count_clusters(&self) -> Result<Option<u64>, RancherError> {
        let page = self.get("/v3/clusters?limit=1")?;
        let total = page["pagination"]["total"].as_u64();
        let is_all = page["pagination"]["next"].as_str().is_none_or(str::is_empty);
        let shown = page["data"].as_array().map(|data| data.len() as u64);
        Ok(total.or(shown.filter(|_| is_all)))
    }
}

const HALF_A_SECOND: SignedDuration = SignedDuration::from_millis(500);
