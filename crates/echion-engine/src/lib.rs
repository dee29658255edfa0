//! Configuration to triggers, templates and subscriptions, and a look at one resource to a plan.

pub mod cases;
pub mod variables;
