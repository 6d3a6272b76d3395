//! What a cluster reaches on its way to Active.

/// A milestone of a cluster, in the usual order; each is measured from the intended start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Milestone {
    /// The agent took it on: later than intended where the limit of clusters in flight was reached.
    Started,
    /// Rancher created it.
    Created,
    /// Its registration token was read.
    Token,
    /// The tunnel of its Kubernetes API is up.
    ApiTunnel,
    /// The tunnel of steve is up.
    SteveTunnel,
    /// Rancher asked its Kubernetes API for something and was answered.
    FirstRequest,
    /// The first list was asked for, by LIST or by a watch that begins with one.
    FirstList,
    /// The last of its first watches was opened: no other kind was watched for the first time before it was Active.
    Watches,
    /// Rancher says Connected.
    Connected,
    /// Rancher says Active.
    Active,
}

impl Milestone {
    /// All, in order.
    pub const ALL: [Milestone; 10] = [
        Milestone::Started,
        Milestone::Created,
        Milestone::Token,
        Milestone::ApiTunnel,
        Milestone::SteveTunnel,
        Milestone::FirstRequest,
        Milestone::FirstList,
        Milestone::Watches,
        Milestone::Connected,
        Milestone::Active,
    ];

    /// As reports name it.
    pub fn title(self) -> &'static str {
        match self {
            Milestone::Started => "started",
            Milestone::Created => "created",
            Milestone::Token => "token",
            Milestone::ApiTunnel => "API tunnel",
            Milestone::SteveTunnel => "steve tunnel",
            Milestone::FirstRequest => "first request in",
            Milestone::FirstList => "first list",
            Milestone::Watches => "all watches up",
            Milestone::Connected => "Connected",
            Milestone::Active => "Active",
        }
    }

    /// The metric of the time to it.
    pub fn metric(self) -> &'static str {
        match self {
            Milestone::Started => "time_to_started",
            Milestone::Created => "time_to_created",
            Milestone::Token => "time_to_token",
            Milestone::ApiTunnel => "time_to_api_tunnel",
            Milestone::SteveTunnel => "time_to_steve_tunnel",
            Milestone::FirstRequest => "time_to_first_request",
            Milestone::FirstList => "time_to_first_list",
            Milestone::Watches => "time_to_watches",
            Milestone::Connected => "time_to_connected",
            Milestone::Active => "time_to_active",
        }
    }
}
