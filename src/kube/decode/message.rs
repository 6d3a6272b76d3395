//! What a protobuf message looks like as JSON.

/// The fields of a message.
#[derive(Debug)]
pub(super) struct Message(pub &'static [Field]);

/// One field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub number: u32,
    /// Its name in JSON; [`INLINE`] puts the message's fields into the outer object.
    pub json: &'static str,
    pub kind: Kind,
    /// Whether a zero value is shown: the API tells it from an absent one.
    pub kept: bool,
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Int,
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
    /// A message that holds a list of strings.
    Items,
    Message(&'static Message),
    List(&'static Kind),
    Map(&'static Kind),
}

/// The name of a field whose message has no object of its own in JSON.
pub(super) const INLINE: &str = "..";

/// Declares messages in the form of the tables.
macro_rules! messages {
    ($($message:ident { $($number:literal $json:tt $kind:tt $($kept:ident)?),* })*) => {
        $(pub(in crate::kube::decode) static $message: $crate::kube::decode::message::Message =
            $crate::kube::decode::message::Message(&[
                $($crate::kube::decode::message::Field {
                    number: $number,
                    json: stringify!($json),
                    kind: $crate::kube::decode::message::kind!($kind),
                    kept: $crate::kube::decode::message::kept!($($kept)?),
                }),*
            ]);)*
    };
}

/// The [`Kind`] of a type in the tables.
macro_rules! kind {
    (text) => {
        $crate::kube::decode::message::Kind::Text
    };
    (int) => {
        $crate::kube::decode::message::Kind::Int
    };
    (bool) => {
        $crate::kube::decode::message::Kind::Bool
    };
    (bytes) => {
        $crate::kube::decode::message::Kind::Bytes
    };
    (quantity) => {
        $crate::kube::decode::message::Kind::Quantity
    };
    (time) => {
        $crate::kube::decode::message::Kind::Time
    };
    (micro_time) => {
        $crate::kube::decode::message::Kind::MicroTime
    };
    (int_or_string) => {
        $crate::kube::decode::message::Kind::IntOrString
    };
    (raw) => {
        $crate::kube::decode::message::Kind::Raw
    };
    (items) => {
        $crate::kube::decode::message::Kind::Items
    };
    ([$kind:tt]) => {
        $crate::kube::decode::message::Kind::List(&$crate::kube::decode::message::kind!($kind))
    };
    ({$kind:tt}) => {
        $crate::kube::decode::message::Kind::Map(&$crate::kube::decode::message::kind!($kind))
    };
    ($message:ident) => {
        $crate::kube::decode::message::Kind::Message(&$message)
    };
}

/// Whether `kept` is written.
macro_rules! kept {
    () => {
        false
    };
    (kept) => {
        true
    };
}

pub(super) use {kept, kind, messages};
