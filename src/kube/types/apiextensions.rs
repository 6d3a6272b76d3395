//! Types of `apiextensions.k8s.io/v1`, as of Kubernetes 1.31.

use super::message::messages;
use super::meta::OBJECT_META;

messages! {
    CUSTOM_RESOURCE_COLUMN_DEFINITION {
        1 name text shown, 2 type text shown, 3 format text, 4 description text, 5 priority int, 6 jsonPath text shown
    }
    CUSTOM_RESOURCE_CONVERSION {
        1 strategy text shown, 2 webhook WEBHOOK_CONVERSION
    }
    CUSTOM_RESOURCE_DEFINITION {
        1 metadata OBJECT_META shown, 2 spec CUSTOM_RESOURCE_DEFINITION_SPEC shown,
        3 status CUSTOM_RESOURCE_DEFINITION_STATUS shown
    }
    CUSTOM_RESOURCE_DEFINITION_CONDITION {
        1 type text shown, 2 status text shown, 3 lastTransitionTime time shown, 4 reason text, 5 message text
    }
    CUSTOM_RESOURCE_DEFINITION_NAMES {
        1 plural text shown, 2 singular text, 3 shortNames [text], 4 kind text shown, 5 listKind text,
        6 categories [text]
    }
    CUSTOM_RESOURCE_DEFINITION_SPEC {
        1 group text shown, 3 names CUSTOM_RESOURCE_DEFINITION_NAMES shown, 4 scope text shown,
        7 versions [CUSTOM_RESOURCE_DEFINITION_VERSION] shown, 9 conversion CUSTOM_RESOURCE_CONVERSION,
        10 preserveUnknownFields bool
    }
    CUSTOM_RESOURCE_DEFINITION_STATUS {
        1 conditions [CUSTOM_RESOURCE_DEFINITION_CONDITION] shown,
        2 acceptedNames CUSTOM_RESOURCE_DEFINITION_NAMES shown, 3 storedVersions [text] shown
    }
    CUSTOM_RESOURCE_DEFINITION_VERSION {
        1 name text shown, 2 served bool shown, 3 storage bool shown, 7 deprecated bool, 8 deprecationWarning text kept,
        4 schema CUSTOM_RESOURCE_VALIDATION, 5 subresources CUSTOM_RESOURCE_SUBRESOURCES,
        6 additionalPrinterColumns [CUSTOM_RESOURCE_COLUMN_DEFINITION], 9 selectableFields [SELECTABLE_FIELD]
    }
    CUSTOM_RESOURCE_SUBRESOURCES {
        1 status CUSTOM_RESOURCE_SUBRESOURCE_STATUS, 2 scale CUSTOM_RESOURCE_SUBRESOURCE_SCALE
    }
    CUSTOM_RESOURCE_SUBRESOURCE_SCALE {
        1 specReplicasPath text shown, 2 statusReplicasPath text shown, 3 labelSelectorPath text kept
    }
    CUSTOM_RESOURCE_SUBRESOURCE_STATUS {}
    CUSTOM_RESOURCE_VALIDATION {
        1 openAPIV3Schema json
    }
    SELECTABLE_FIELD {
        1 jsonPath text shown
    }
    SERVICE_REFERENCE {
        1 namespace text shown, 2 name text shown, 3 path text kept, 4 port int kept
    }
    WEBHOOK_CLIENT_CONFIG {
        3 url text kept, 1 service SERVICE_REFERENCE, 2 caBundle bytes
    }
    WEBHOOK_CONVERSION {
        2 clientConfig WEBHOOK_CLIENT_CONFIG, 3 conversionReviewVersions [text] shown
    }
}
