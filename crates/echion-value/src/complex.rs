//! Go's `complex128`, which templates can write, print and compare, and no more.

use std::any::Any;

use crate::{CallError, Object, ObjectType, Value};

/// A complex number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Complex {
    /// The real part.
    pub real: f64,
    /// The imaginary part.
    pub imaginary: f64,
}

pub(crate) const NAME: &str = "complex128";

static TYPE: ObjectType = ObjectType { name: NAME, fields: &[], tags: &[], methods: &[] };

impl Object for Complex {
    fn object_type(&self) -> &'static ObjectType {
        &TYPE
    }

    fn field(&self, _: &str) -> Option<Value> {
        None
    }

    fn json(&self) -> Option<Result<String, CallError>> {
        Some(Err(CallError::new(format!("json: unsupported type: {NAME}"))))
    }
}

impl Complex {
    /// The number, when the value is one.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        let Value::Object(object) = value else { return None };
        let object: &dyn Any = object.as_ref();
        object.downcast_ref().copied()
    }

    /// Whether it is zero.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.real == 0.0 && self.imaginary == 0.0
    }
}

impl From<Complex> for Value {
    fn from(number: Complex) -> Self {
        Value::Object(std::sync::Arc::new(number))
    }
}
