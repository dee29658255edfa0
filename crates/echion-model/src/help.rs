//! What a service type declares about its options and its section, so that tables, schemas and suggestions come from the code.

/// An option of a service type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionHelp {
    /// As the user writes it.
    pub name: &'static str,
    /// What it holds.
    pub shape: OptionShape,
    /// What it means, in a sentence.
    pub about: &'static str,
    /// What holds when it is not set; empty when there is nothing to say.
    pub default: &'static str,
}

/// What an option holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionShape {
    /// A text.
    Text,
    /// A text that must not be seen.
    Secret,
    /// True or false.
    Flag,
    /// A whole number.
    Number,
    /// A duration such as `30s`.
    Duration,
    /// A list of texts.
    Texts,
    /// A mapping from text to text.
    Map,
    /// A mapping from text to secret.
    SecretMap,
    /// A mapping or list with fields of its own.
    Nested,
}

/// A field of a section.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As the user writes it.
    pub name: &'static str,
    /// What it holds.
    pub shape: FieldShape,
    /// What it means, in a sentence.
    pub about: &'static str,
}

/// What a field of a section holds. Texts are templates unless said otherwise.
#[derive(Clone, Copy, Debug)]
pub enum FieldShape {
    /// A template.
    Text,
    /// A template with a text that is used when the field is absent.
    TextOr(&'static str),
    /// A template with a text that is used when the field is absent, as far as it can be rendered.
    TextOrAttempt(&'static str),
    /// A text that is no template.
    Plain,
    /// True or false.
    Flag,
    /// JSON (or YAML): as a template that gives it, or as lists and mappings whose texts are templates.
    Json,
    /// A list of templates.
    Texts,
    /// A list of texts that are no templates.
    Plains,
    /// A mapping whose values are templates.
    Map,
    /// A mapping whose values are templates; one that comes out empty keeps its source (contract 5.1, 5.4).
    MapOrSource,
    /// A mapping with fields of its own.
    Fields(&'static [Field]),
    /// A list of mappings with fields of their own.
    List(&'static [Field]),
}

impl OptionShape {
    /// In words, for tables.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            OptionShape::Text => "text",
            OptionShape::Secret => "secret",
            OptionShape::Flag => "true or false",
            OptionShape::Number => "number",
            OptionShape::Duration => "duration",
            OptionShape::Texts => "list of texts",
            OptionShape::Map => "mapping of texts",
            OptionShape::SecretMap => "mapping of secrets",
            OptionShape::Nested => "mapping",
        }
    }
}

impl FieldShape {
    /// In words, for tables.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            FieldShape::Text | FieldShape::TextOr(_) | FieldShape::TextOrAttempt(_) => "template",
            FieldShape::Plain => "text",
            FieldShape::Flag => "true or false",
            FieldShape::Json => "JSON",
            FieldShape::Texts => "list of templates",
            FieldShape::Plains => "list of texts",
            FieldShape::Map | FieldShape::MapOrSource => "mapping of templates",
            FieldShape::Fields(_) => "mapping",
            FieldShape::List(_) => "list of mappings",
        }
    }
}
