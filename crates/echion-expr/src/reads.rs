//! What an expression may read, known without evaluating it: only what it reads has to be decoded, and only when that
//! changes does it have to be evaluated again.

use std::collections::BTreeSet;

use crate::ast::{Id, Kind, Tree, children};

/// What an expression may read. It may read less; it never reads more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Paths from the environment, such as `app`, `status`, `sync`; all below the last name may be read.
    pub paths: BTreeSet<Vec<String>>,
    /// Whether it may read any variable, by way of `$env`.
    pub everything: bool,
    /// Whether it asks for the time with `now()`.
    pub clock: bool,
    /// Whether it calls a function of the environment. The paths name it.
    pub calls: bool,
}

/// What the tree below `root` may read.
pub(crate) fn reads(tree: &Tree, root: Id) -> Reads {
    let mut reads = Reads::default();
    for id in tree.post_order(root) {
        match tree.kind(id) {
            Kind::Builtin(builtin) if builtin.name == "now" => reads.clock = true,
            Kind::Call { .. } => reads.calls = true,
            _ => {}
        }
    }
    let mut seen = BTreeSet::new();
    let mut pending = vec![root];
    while let Some(id) = pending.pop() {
        if !seen.insert(id) {
            continue;
        }
        match path(tree, id) {
            Some(names) if names.is_empty() => reads.everything = true,
            Some(names) => drop(reads.paths.insert(names)),
            None => pending.extend(children(tree.kind(id))),
        }
    }
    reads
}

/// The names from the environment to a node, when it is reached by names alone; none for the environment itself.
fn path(tree: &Tree, id: Id) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut id = id;
    loop {
        match tree.kind(id) {
            Kind::Chain(node) => id = *node,
            Kind::Member(member) => {
                names.push(tree.text(member.property)?.to_string());
                id = member.node;
            }
            Kind::Identifier(name) => {
                if **name != *"$env" {
                    names.push(name.to_string());
                }
                names.reverse();
                return Some(names);
            }
            _ => return None,
        }
    }
}
