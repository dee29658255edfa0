//! The inputs of one evaluation, owned, so that it can run anywhere.

use std::sync::Arc;

use echion_model::{Resource, State};
use echion_value::Value;

use crate::index::SourceId;

/// What is evaluated.
pub(crate) struct Evaluation {
    /// Where the resource comes from.
    pub(crate) source: SourceId,
    /// The resource.
    pub(crate) resource: Arc<Resource>,
    /// Its project, if it has one that exists.
    pub(crate) project: Option<Arc<Value>>,
    /// What is recorded of it.
    pub(crate) state: Option<State>,
    /// Somebody else has written the annotation since.
    pub(crate) foreign: bool,
}
