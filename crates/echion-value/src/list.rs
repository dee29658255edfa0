//! Slices and arrays.

use std::sync::Arc;

use crate::{Type, Value};

/// A Go slice or array: shared, immutable, with its static type.
#[derive(Clone, Debug)]
pub struct List(Arc<ListData>);

#[derive(Debug)]
pub(crate) struct ListData {
    list_type: Type,
    nil: bool,
    items: Vec<Value>,
}

impl List {
    /// A list of the given list or array type. The items fit the element type.
    #[must_use]
    pub fn new(list_type: Type, items: Vec<Value>) -> Self {
        Self(Arc::new(ListData { list_type, nil: false, items }))
    }

    /// A nil slice: empty, equal to `nil`, `null` in JSON.
    #[must_use]
    pub fn nil(list_type: Type) -> Self {
        Self(Arc::new(ListData { list_type, nil: true, items: Vec::new() }))
    }

    /// `[]interface {}`
    #[must_use]
    pub fn of_any(items: Vec<Value>) -> Self {
        Self::new(Type::LIST, items)
    }

    /// `[]string`
    pub fn of_strings<S: Into<crate::Str>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::new(Type::STRINGS, items.into_iter().map(|s| Value::Str(s.into())).collect())
    }

    /// The list's own type, `[]T` or `[N]T`.
    #[must_use]
    pub fn list_type(&self) -> Type {
        self.0.list_type
    }

    /// The type of its elements.
    #[must_use]
    pub fn element(&self) -> Type {
        self.0.list_type.element().unwrap_or(Type::Any)
    }

    /// Whether it is a nil slice.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.0.nil
    }

    /// The items.
    #[must_use]
    pub fn items(&self) -> &[Value] {
        &self.0.items
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.items.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.items.is_empty()
    }

    /// Whether both are names of the same list.
    #[must_use]
    pub fn same(&self, other: &List) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Takes the items when this is the last name of the list.
    pub(crate) fn into_unique_items(self) -> Option<Vec<Value>> {
        Arc::try_unwrap(self.0).ok().map(|mut data| std::mem::take(&mut data.items))
    }
}

impl Drop for ListData {
    fn drop(&mut self) {
        crate::value::drop_flat(std::mem::take(&mut self.items));
    }
}
