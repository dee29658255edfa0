//! The names a trigger or template can use beside the resource: `time`, `strings`, `repo`.
