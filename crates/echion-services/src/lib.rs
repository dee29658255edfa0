//! One file per delivery service, and the only HTTP client.
//!
//! To add a service: write its file, add one line to [`ALL`].

mod answer;
mod console;
mod dingtalk;
pub mod http;
mod robots;
mod tree;
mod webhook;

use echion_model::ServiceKind;

/// Every service type, sorted by name. Dispatch by configuration key, suggestions and tables come from here.
pub static ALL: &[&ServiceKind] = &[&console::KIND, &dingtalk::KIND, &webhook::KIND];

/// The types that `service.<type>` accepts: all but `console`, which is a destination of the command line only (contract 5.22).
#[must_use]
pub fn configurable() -> Vec<&'static ServiceKind> {
    ALL.iter().copied().filter(|kind| kind.name != console::KIND.name).collect()
}

pub use console::KIND as CONSOLE;

#[cfg(test)]
mod tests {
    use echion_model::{Environment, yaml};

    use super::*;

    #[test]
    fn the_list_is_sorted_and_every_example_opens_without_unknown_options() {
        assert!(ALL.is_sorted_by(|a, b| a.name < b.name));
        for kind in ALL {
            let options = yaml::parse(kind.example).unwrap();
            let service = (kind.open)("x", &options, &Environment::default())
                .unwrap_or_else(|e| panic!("{}: {}", kind.name, e.message));
            assert!(service.unknown_options().is_empty(), "{}", kind.name);
        }
    }
}
