//! The verbs of an API resource, as discovery and RBAC name them.

/// One verb. The order is alphabetical, which is the order discovery lists them in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Verb {
    Create,
    Delete,
    DeleteCollection,
    Get,
    List,
    Patch,
    Update,
    Watch,
}

/// A set of verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verbs(u8);

impl Verb {
    /// Every verb in order.
    pub const ALL: [Verb; 8] = [
        Verb::Create,
        Verb::Delete,
        Verb::DeleteCollection,
        Verb::Get,
        Verb::List,
        Verb::Patch,
        Verb::Update,
        Verb::Watch,
    ];

    /// The verb as discovery spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Delete => "delete",
            Verb::DeleteCollection => "deletecollection",
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Patch => "patch",
            Verb::Update => "update",
            Verb::Watch => "watch",
        }
    }
}

impl Verbs {
    /// What an ordinary stored kind allows: everything.
    pub const ALL: Verbs = Verbs(0xff);
    /// A kind that is a call, such as a review: `create` alone.
    pub const CREATE: Verbs = Verbs::of(&[Verb::Create]);
    /// Read without watching, such as `componentstatuses`.
    pub const GET_LIST: Verbs = Verbs::of(&[Verb::Get, Verb::List]);
    /// What `status` and `scale` allow.
    pub const GET_PATCH_UPDATE: Verbs = Verbs::of(&[Verb::Get, Verb::Patch, Verb::Update]);

    /// The set of `verbs`.
    pub const fn of(verbs: &[Verb]) -> Verbs {
        let mut bits = 0;
        let mut i = 0;
        while i < verbs.len() {
            bits |= 1 << verbs[i] as u8;
            i += 1;
        }
        Verbs(bits)
    }

    /// Whether `verb` is in the set.
    pub const fn contains(self, verb: Verb) -> bool {
        self.0 & (1 << verb as u8) != 0
    }

    /// The verbs of the set in order.
    pub fn iter(self) -> impl Iterator<Item = Verb> {
        Verb::ALL.into_iter().filter(move |verb| self.contains(*verb))
    }
}
