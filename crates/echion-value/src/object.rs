//! Go structs that are handed to users: commit metadata, versions, locations.

use std::any::Any;
use std::fmt;

use crate::{Method, Value};

/// What all objects of one Go type have in common.
#[derive(Debug)]
pub struct ObjectType {
    /// Go's name with package and, for pointers, star: `*shared.CommitMetadata`.
    pub name: &'static str,
    /// Exported fields in Go's order of declaration.
    pub fields: &'static [&'static str],
    /// The names of the fields in JSON, where tags give them others; fields that are empty are left out then.
    pub tags: &'static [&'static str],
    /// Exported methods.
    pub methods: &'static [Method],
}

/// A struct value with named fields and methods.
pub trait Object: fmt::Debug + Send + Sync + Any {
    /// Its type.
    fn object_type(&self) -> &'static ObjectType;

    /// The field of that name; `None` when the type has no such field.
    fn field(&self, name: &str) -> Option<Value>;

    /// What JSON has for it in place of its fields: a string, or an error where there is no form.
    fn json(&self) -> Option<Result<String, crate::CallError>> {
        None
    }

    /// Its text, when the Go type has a `String` method that printing uses.
    fn display(&self) -> Option<String> {
        None
    }
}
