//! How a type of the API is described.

/// A type: its name, as in `POD_SPEC`, and its fields.
#[derive(Debug)]
pub(in crate::kube) struct Message {
    pub name: &'static str,
    /// The module of its table.
    pub module: &'static str,
    pub fields: &'static [Field],
}

/// One field of a type.
#[derive(Debug)]
pub(in crate::kube) struct Field {
    /// Its number in protobuf.
    pub number: u32,
    /// Its name in JSON; [`INLINE`] puts the message's fields into the outer object.
    pub json: &'static str,
    pub kind: Kind,
    pub zero: Zero,
}

/// What becomes of a field that has its type's zero value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kube) enum Zero {
    /// It is left out.
    Omitted,
    /// It is told from an absent one, and stands.
    Kept,
    /// It is shown even where it was absent.
    Shown,
}

impl Message {
    /// The field of a name, in this type or in one that stands in it.
    pub(in crate::kube) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find_map(|field| match field.kind {
            Kind::Message(inner) if field.json == INLINE => inner.field(name),
            _ => (field.json == name).then_some(field),
        })
    }
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub(in crate::kube) enum Kind {
    Text,
    /// 32 bits.
    Int,
    /// 64 bits.
    Long,
    Bool,
    /// Base64 in JSON.
    Bytes,
    /// A message that holds one string.
    Quantity,
    /// A message of seconds and nanoseconds, shown in RFC 3339 with seconds only.
    Time,
    /// The same, shown with microseconds.
    MicroTime,
    /// A message that holds a number or a string.
    IntOrString,
    /// A message that holds bytes of JSON.
    Raw,
    /// Any JSON, whose protobuf has another form.
    Json,
    /// A message that holds a list of strings.
    Items,
    Message(&'static Message),
    List(&'static Kind),
    Map(&'static Kind),
}

/// The name of a field whose message has no object of its own in JSON.
pub(in crate::kube) const INLINE: &str = "..";

/// Declares messages in the form of the tables.
macro_rules! messages {
    ($($message:ident { $($number:literal $json:tt $kind:tt $($zero:ident)?),* })*) => {
        $(pub(in crate::kube) static $message: $crate::kube::types::message::Message = $crate::kube::types::message::Message {
            name: stringify!($message),
            module: module_path!(),
            fields: &[
                $($crate::kube::types::message::Field {
                    number: $number,
                    json: stringify!($json),
                    kind: $crate::kube::types::message::kind!($kind),
                    zero: $crate::kube::types::message::zero!($($zero)?),
                }),*
            ],
        };)*
    };
}

/// The [`Kind`] of a type in the tables.
macro_rules! kind {
    (text) => {
        $crate::kube::types::message::Kind::Text
    };
    (int) => {
        $crate::kube::types::message::Kind::Int
    };
    (long) => {
        $crate::kube::types::message::Kind::Long
    };
    (json) => {
        $crate::kube::types::message::Kind::Json
    };
    (bool) => {
        $crate::kube::types::message::Kind::Bool
    };
    (bytes) => {
        $crate::kube::types::message::Kind::Bytes
    };
    (quantity) => {
        $crate::kube::types::message::Kind::Quantity
    };
    (time) => {
        $crate::kube::types::message::Kind::Time
    };
    (micro_time) => {
        $crate::kube::types::message::Kind::MicroTime
    };
    (int_or_string) => {
        $crate::kube::types::message::Kind::IntOrString
    };
    (raw) => {
        $crate::kube::types::message::Kind::Raw
    };
    (items) => {
        $crate::kube::types::message::Kind::Items
    };
    ([$kind:tt]) => {
        $crate::kube::types::message::Kind::List(&$crate::kube::types::message::kind!($kind))
    };
    ({$kind:tt}) => {
        $crate::kube::types::message::Kind::Map(&$crate::kube::types::message::kind!($kind))
    };
    ($message:ident) => {
        $crate::kube::types::message::Kind::Message(&$message)
    };
}

/// The [`Zero`] of a word in the tables.
macro_rules! zero {
    () => {
        $crate::kube::types::message::Zero::Omitted
    };
    (kept) => {
        $crate::kube::types::message::Zero::Kept
    };
    (shown) => {
        $crate::kube::types::message::Zero::Shown
    };
}

pub(super) use {kind, messages, zero};
