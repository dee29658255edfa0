//! Options as a struct and as a table in one: documentation, schema and suggestions come from what is decoded.

use std::collections::BTreeMap;
use std::time::Duration;

use echion_model::{OptionShape, Secret};
use serde::Deserialize;

/// Declares the options of a service: the name as users write it, the field, its type, and what holds when it is absent.
///
/// ```text
/// options! {
///     pub(crate) struct Options {
///         /// The bot's token.
///         "token" token: Secret,
///         /// Where the API is.
///         "apiURL" api_url: String = "https://example.com/".to_owned(), "https://example.com/",
///     }
/// }
/// ```
macro_rules! options {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $(
        #[doc = $about:literal] $(#[doc = $more:literal])*
        $key:literal $field:ident : $type:ty $(= $default:expr, $shown:literal)?,
    )* }) => {
        #[derive(Debug, serde::Deserialize)]
        #[serde(default)]
        $(#[$meta])*
        $vis struct $name { $( #[doc = $about] #[serde(rename = $key)] $vis $field: $type, )* }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $field: $crate::options::or_default!($($default)?), )* }
            }
        }

        impl $name {
            /// The table of the options.
            $vis const TABLE: &'static [echion_model::OptionHelp] = &[ $( echion_model::OptionHelp {
                name: $key,
                shape: <$type as $crate::options::Shaped>::SHAPE,
                about: concat!($about $(, $more)*),
                default: concat!("" $(, $shown)?),
            }, )* ];
        }
    };
}

macro_rules! or_default {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

pub(crate) use {options, or_default};

/// A type that an option can have.
pub(crate) trait Shaped {
    const SHAPE: OptionShape;
}

macro_rules! shaped {
    ($($type:ty => $shape:ident),* $(,)?) => { $(impl Shaped for $type { const SHAPE: OptionShape = OptionShape::$shape; })* };
}

shaped! {
    String => Text,
    Secret => Secret,
    bool => Flag,
    i64 => Number,
    u16 => Number,
    Span => Duration,
    Vec<String> => Texts,
    BTreeMap<String, String> => Map,
    BTreeMap<String, Secret> => SecretMap,
}

impl<T: Shaped> Shaped for Option<T> {
    const SHAPE: OptionShape = T::SHAPE;
}

/// A length of time above zero: a Go duration such as `1m30s`, or whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let whole = text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000_000));
        let nanos = whole.or_else(|| echion_value::time::parse_duration(&text).ok());
        match nanos.and_then(|nanos| u64::try_from(nanos).ok()).filter(|nanos| *nanos > 0) {
            Some(nanos) => Ok(Self(Duration::from_nanos(nanos))),
            None => Err(serde::de::Error::custom(format!("`{text}` is not a duration above zero such as `30s`"))),
        }
    }
}

/// Extra headers: a list of `{name, value}` as in the webhook of Argo CD Notifications, or a mapping.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers(pub(crate) Vec<(String, Secret)>);

impl Shaped for Headers {
    const SHAPE: OptionShape = OptionShape::SecretMap;
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Header {
    name: String,
    value: Secret,
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = Headers;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of `{name, value}` or a mapping")
            }

            fn visit_unit<E>(self) -> Result<Headers, E> {
                Ok(Headers::default())
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(Header { name, value }) = seq.next_element()? {
                    headers.push((name, value));
                }
                Ok(Headers(headers))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    headers.push(entry);
                }
                Ok(Headers(headers))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use echion_model::yaml;

    use super::*;

    options! {
        struct Sample {
            /// A token.
            "apiToken" token: Secret,
            /// How long.
            "wait" wait: Span = Span(Duration::from_secs(3)), "3s",
            /// More.
            "headers" headers: Headers,
        }
    }

    #[test]
    fn the_table_and_the_struct_are_one() {
        let names: Vec<_> = Sample::TABLE.iter().map(|o| (o.name, o.shape.words(), o.default)).collect();
        assert_eq!(
            names,
            [("apiToken", "secret", ""), ("wait", "duration", "3s"), ("headers", "mapping of secrets", "")]
        );
        assert_eq!(Sample::TABLE[0].about.trim(), "A token.");
        let node = yaml::parse("APITOKEN: x-y\nheaders: [{name: a, value: b1}]\nmore: 1\n").unwrap();
        let decoded = node.decode::<Sample>().unwrap();
        assert_eq!(decoded.value.wait.0, Duration::from_secs(3));
        assert_eq!(decoded.value.token.expose(), "x-y");
        assert_eq!(decoded.secrets, [Secret::new("x-y"), Secret::new("b1")]);
        assert_eq!(decoded.unknown[0].0, "more");
        let node = yaml::parse("wait: 2\nheaders: {a: b}\n").unwrap();
        let decoded = node.decode::<Sample>().unwrap().value;
        assert_eq!((decoded.wait.0.as_secs(), decoded.headers.0.len()), (2, 1));
        for wait in ["0s", "-1s", "soon", "0"] {
            assert!(yaml::parse(&format!("wait: {wait}\n")).unwrap().decode::<Sample>().is_err(), "{wait}");
        }
    }
}
