//! What makes a cluster itself.

use jiff::Timestamp;
use std::sync::Arc;

/// What makes a cluster itself; stays the same over reconnects and restarts.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The cluster's name, which fills `{{cluster-name}}`.
    pub name: Arc<str>,
    /// Seed of every uid, generated name and token in this cluster.
    pub seed: u64,
    /// How often the service account token was rotated.
    pub rotation: u32,
    /// When the cluster was made: the `creationTimestamp` of its baseline objects.
    pub created: Timestamp,
}

impl Identity {
    /// The service account token announced to Rancher in the tunnel parameters: opaque, derived from the seed and the
    /// number of its rotations alone.
    pub fn service_account_token(&self) -> String {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(b"the service account token announced in the tunnel parameters");
        context.update(&self.seed.to_be_bytes());
        if self.rotation > 0 {
            context.update(&self.rotation.to_be_bytes());
        }
        context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_depends_on_the_seed_and_the_rotations_alone() {
        let identity =
            |name: &str, seed| Identity { name: name.into(), seed, rotation: 0, created: Timestamp::UNIX_EPOCH };
        let token = identity("a", 1).service_account_token();
        assert_eq!(token.len(), 64);
        assert_eq!(identity("b", 1).service_account_token(), token);
        assert_ne!(identity("a", 2).service_account_token(), token);
        let rotated = Identity { rotation: 1, ..identity("a", 1) }.service_account_token();
        assert_ne!(rotated, token);
        assert_ne!(Identity { rotation: 2, ..identity("a", 1) }.service_account_token(), rotated);
    }
}
