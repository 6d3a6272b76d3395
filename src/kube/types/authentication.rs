//! Types of `authentication.k8s.io/v1`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::OBJECT_META;

messages! {
    BOUND_OBJECT_REFERENCE {
        1 kind text, 2 apiVersion text, 3 name text, 4 uid text
    }
    SELF_SUBJECT_REVIEW {
        1 metadata OBJECT_META shown, 2 status SELF_SUBJECT_REVIEW_STATUS shown
    }
    SELF_SUBJECT_REVIEW_STATUS {
        1 userInfo USER_INFO shown
    }
    TOKEN_REQUEST {
        1 metadata OBJECT_META shown, 2 spec TOKEN_REQUEST_SPEC shown, 3 status TOKEN_REQUEST_STATUS shown
    }
    TOKEN_REQUEST_SPEC {
        1 audiences [text] shown, 4 expirationSeconds long kept, 3 boundObjectRef BOUND_OBJECT_REFERENCE
    }
    TOKEN_REQUEST_STATUS {
        1 token text shown, 2 expirationTimestamp time shown
    }
    TOKEN_REVIEW {
        1 metadata OBJECT_META shown, 2 spec TOKEN_REVIEW_SPEC shown, 3 status TOKEN_REVIEW_STATUS shown
    }
    TOKEN_REVIEW_SPEC {
        1 token text, 2 audiences [text]
    }
    TOKEN_REVIEW_STATUS {
        1 authenticated bool, 2 user USER_INFO shown, 4 audiences [text], 3 error text
    }
    USER_INFO {
        1 username text, 2 uid text, 3 groups [text], 4 extra {items}
    }
}
