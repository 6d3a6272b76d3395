//! Rancher's own REST API (`/v3`, norman) as a client sees it: clusters, registration tokens, trust, paging. Blocking calls,
//! made by registrar threads only.
