//! Token secrets go with their service account (`kube-controller-manager` tokens controller).

use super::Happening;
use crate::kube::Cluster;
use crate::kube::store::{name_of, namespace_of};
use crate::kube::verbs::DeleteOptions;

impl Cluster {
    /// Deletes the token secrets of a deleted service account.
    pub(super) fn keep_accounts(&mut self, happening: &Happening<'_>) {
        if !happening.write.is_delete || !happening.served.is("", "serviceaccounts") {
            return;
        }
        let Some(secrets) = Cluster::built_in("", "secrets") else { return };
        let path = happening.write.object.path.clone();
        let uid = happening.write.object.stamp.uid.to_string();
        let found = self.store.list(secrets.storage, namespace_of(&path)).into_iter();
        let tokens: Vec<_> = found
            .filter(|found| {
                let secret = self.value(&secrets, &found.version);
                let annotations = &secret["metadata"]["annotations"];
                secret["type"] == "kubernetes.io/service-account-token"
                    && annotations["kubernetes.io/service-account.name"] == name_of(&path)
                    && annotations["kubernetes.io/service-account.uid"] == *uid
            })
            .map(|found| found.version)
            .collect();
        for version in tokens {
            // Nothing refuses the delete of a secret.
            _ = self.delete_object(&secrets, &version, &DeleteOptions::default(), happening.now);
        }
    }
}
