//! The rewriting that the reference does before it compiles: kept where a user can see the difference, be it in a value, an
//! error, or in what is not evaluated.

use echion_value::{List, Value};

use crate::ast::{Binary, Builtin, Id, Kind, Tree, Unary};
use crate::error::CompileError;
use crate::power::go_pow;

/// Rewrites the tree below `root` in place.
pub(crate) fn optimize(tree: &mut Tree, root: Id) -> Result<(), CompileError> {
    for id in tree.post_order(root) {
        literal_sets(tree, id);
    }
    loop {
        let mut changed = false;
        for id in tree.post_order(root) {
            changed |= fold(tree, id)?;
        }
        if !changed {
            break;
        }
    }
    let passes: &[fn(&mut Tree, Id)] = &[
        ranges_to_bounds,
        mapped_filter,
        filtered_length,
        filtered_last,
        filtered_first,
        combine_predicates,
        sum_of_range,
        sum_of_list,
        sum_of_map,
        count_to_any,
    ];
    for pass in passes {
        for id in tree.post_order(root) {
            pass(tree, id);
        }
    }
    Ok(())
}

fn set(tree: &mut Tree, id: Id, kind: Kind) {
    tree.node_mut(id).kind = kind;
}

/// `x in ['a', 'b']` looks keys up, so it complains about other types, and `nil` is the empty text.
fn literal_sets(tree: &mut Tree, id: Id) {
    let Kind::Binary(Binary::In, left, right) = *tree.kind(id) else { return };
    let Kind::List(nodes) = tree.kind(right) else { return };
    if nodes.is_empty() {
        return;
    }
    let texts: Option<Vec<Value>> = nodes.iter().map(|node| tree.text(*node).cloned().map(Value::Str)).collect();
    if let Some(texts) = texts {
        let at = tree.at(right);
        let found = tree.push(Kind::Set(Value::List(List::of_any(texts))), at);
        set(tree, id, Kind::Binary(Binary::In, left, found));
    }
}

/// Evaluates what consists of literals. True when something changed.
fn fold(tree: &mut Tree, id: Id) -> Result<bool, CompileError> {
    let folded = match tree.kind(id).clone() {
        Kind::Unary(operator, operand) => match (operator, tree.kind(operand)) {
            (Unary::Minus, Kind::Int(n)) => Some(Kind::Int(n.wrapping_neg())),
            (Unary::Minus, Kind::Float(f)) => Some(Kind::Float(-f)),
            (Unary::Plus, literal @ (Kind::Int(_) | Kind::Float(_))) => Some(literal.clone()),
            (Unary::Not | Unary::Bang, Kind::Bool(b)) => Some(Kind::Bool(!b)),
            _ => None,
        },
        Kind::Binary(operator, left, right) => {
            let (l, r) = (tree.kind(left), tree.kind(right));
            match fold_binary(operator, l, r) {
                Folded::No => None,
                Folded::Kind(kind) => Some(kind),
                Folded::Left => Some(take(tree, id, left)),
                Folded::Right => Some(take(tree, id, right)),
                Folded::ByZero => return Err(CompileError::check(tree.at(id), "integer divide by zero")),
            }
        }
        Kind::List(nodes) if !nodes.is_empty() => {
            let literals: Option<Vec<Value>> = nodes.iter().map(|node| literal(tree.kind(*node))).collect();
            literals.map(|items| Kind::Constant(Value::from(items)))
        }
        Kind::Builtin(Builtin { name: "filter", args, .. }) => filtered_twice(tree, &args),
        _ => None,
    };
    let changed = folded.is_some();
    if let Some(kind) = folded {
        set(tree, id, kind);
    }
    Ok(changed)
}

/// A filter of a filter is one filter: an element is asked the second question before the next one is asked the first.
fn filtered_twice(tree: &mut Tree, args: &[Id]) -> Option<Kind> {
    let [list, second] = *args else { return None };
    let inner = builtin(tree, list, "filter", 2)?;
    let (list, first) = (inner.args[0], inner.args[1]);
    let (Kind::Predicate(first), Kind::Predicate(second)) = (tree.kind(first), tree.kind(second)) else { return None };
    let both = Kind::Binary(Binary::AndAnd, *first, *second);
    let both = tree.push(both, 0);
    let predicate = tree.push(Kind::Predicate(both), 0);
    Some(call("filter", vec![list, predicate], false))
}

/// The kind of a node that is to take the place of another, with its nature and position.
fn take(tree: &mut Tree, id: Id, from: Id) -> Kind {
    let (nature, at) = (tree.nature(from).clone(), tree.at(id));
    let node = tree.node_mut(id);
    node.nature = nature;
    node.at = at;
    tree.kind(from).clone()
}

fn literal(kind: &Kind) -> Option<Value> {
    Some(match kind {
        Kind::Int(n) => Value::Int(*n),
        Kind::Float(f) => Value::Float(*f),
        Kind::Text(s) => Value::Str(s.clone()),
        Kind::Bool(b) => Value::Bool(*b),
        _ => return None,
    })
}

enum Folded {
    No,
    Kind(Kind),
    Left,
    Right,
    ByZero,
}

#[expect(clippy::cast_precision_loss, reason = "that is how both are mixed")]
fn fold_binary(operator: Binary, left: &Kind, right: &Kind) -> Folded {
    use Binary as B;
    let float = |kind: &Kind| match kind {
        Kind::Int(n) => Some(*n as f64),
        Kind::Float(f) => Some(*f),
        _ => None,
    };
    match (operator, left, right) {
        (B::Add, Kind::Int(a), Kind::Int(b)) => Folded::Kind(Kind::Int(a.wrapping_add(*b))),
        (B::Subtract, Kind::Int(a), Kind::Int(b)) => Folded::Kind(Kind::Int(a.wrapping_sub(*b))),
        (B::Multiply, Kind::Int(a), Kind::Int(b)) => Folded::Kind(Kind::Int(a.wrapping_mul(*b))),
        (B::Modulo, Kind::Int(_), Kind::Int(0)) => Folded::ByZero,
        (B::Modulo, Kind::Int(a), Kind::Int(b)) => Folded::Kind(Kind::Int(a.wrapping_rem(*b))),
        (B::Add, Kind::Text(a), Kind::Text(b)) => {
            Folded::Kind(Kind::Text([a.as_bytes(), b.as_bytes()].concat().into()))
        }
        (B::Equal, Kind::Int(a), Kind::Int(b)) => Folded::Kind(Kind::Bool(a == b)),
        (B::Equal, Kind::Text(a), Kind::Text(b)) => Folded::Kind(Kind::Bool(a == b)),
        (B::Equal, Kind::Bool(a), Kind::Bool(b)) => Folded::Kind(Kind::Bool(a == b)),
        (B::And | B::AndAnd, Kind::Bool(true), _) | (B::Or | B::OrOr, Kind::Bool(false), _) => Folded::Right,
        (B::And | B::AndAnd, _, Kind::Bool(true)) | (B::Or | B::OrOr, _, Kind::Bool(false)) => Folded::Left,
        (B::And | B::AndAnd, Kind::Bool(_), _) | (B::And | B::AndAnd, _, Kind::Bool(_)) => {
            Folded::Kind(Kind::Bool(false))
        }
        (B::Or | B::OrOr, Kind::Bool(_), _) | (B::Or | B::OrOr, _, Kind::Bool(_)) => Folded::Kind(Kind::Bool(true)),
        (B::Add | B::Subtract | B::Multiply | B::Divide | B::Power | B::Caret, a, b) => {
            let (Some(a), Some(b)) = (float(a), float(b)) else { return Folded::No };
            Folded::Kind(Kind::Float(match operator {
                B::Add => a + b,
                B::Subtract => a - b,
                B::Multiply => a * b,
                B::Divide => a / b,
                _ => go_pow(a, b),
            }))
        }
        _ => Folded::No,
    }
}

/// The literal bounds of a range.
fn bounds(tree: &Tree, id: Id) -> Option<(Id, Id, i64, i64)> {
    let Kind::Binary(Binary::Range, from, to) = *tree.kind(id) else { return None };
    Some((from, to, tree.int(from)?, tree.int(to)?))
}

/// `n in 1..1000000` makes no list.
fn ranges_to_bounds(tree: &mut Tree, id: Id) {
    let Kind::Binary(Binary::In, left, right) = *tree.kind(id) else { return };
    if tree.nature(left).kind() != "int" {
        return;
    }
    let Some((from, to, ..)) = bounds(tree, right) else { return };
    let least = tree.push(Kind::Binary(Binary::MoreOrEqual, left, from), 0);
    let most = tree.push(Kind::Binary(Binary::LessOrEqual, left, to), 0);
    set(tree, id, Kind::Binary(Binary::And, least, most));
}

fn builtin<'t>(tree: &'t Tree, id: Id, name: &str, args: usize) -> Option<&'t Builtin> {
    match tree.kind(id) {
        Kind::Builtin(builtin) if builtin.name == name && builtin.args.len() == args => Some(builtin),
        _ => None,
    }
}

fn call(name: &'static str, args: Vec<Id>, must_find: bool) -> Kind {
    Kind::Builtin(Builtin { name, args, must_find, mapped: None, enough: None })
}

/// `map(filter(…), …)` maps each match at once.
fn mapped_filter(tree: &mut Tree, id: Id) {
    let Some(map) = builtin(tree, id, "map", 2) else { return };
    let (list, predicate) = (map.args[0], map.args[1]);
    let Some(filter) = builtin(tree, list, "filter", 2).filter(|filter| filter.mapped.is_none()) else { return };
    let Kind::Predicate(mapped) = *tree.kind(predicate) else { return };
    // In the list that is filtered, the index would be another one.
    if tree.post_order(predicate).into_iter().any(|node| is_pointer(tree, node, "index")) {
        return;
    }
    let filter = Builtin { mapped: Some(mapped), ..filter.clone() };
    set(tree, id, Kind::Builtin(filter));
}

/// `len(filter(…))` counts; what would become of the matches is never seen.
fn filtered_length(tree: &mut Tree, id: Id) {
    let Some(outer) = builtin(tree, id, "len", 1) else { return };
    let Some(filter) = builtin(tree, outer.args[0], "filter", 2) else { return };
    let kind = call("count", filter.args.clone(), false);
    set(tree, id, kind);
}

/// `filter(…)[-1]` and `last(filter(…))` search from the end.
fn filtered_last(tree: &mut Tree, id: Id) {
    filtered_end(tree, id, -1, "last", "findLast");
}

/// `filter(…)[0]` and `first(filter(…))` stop at the first match.
fn filtered_first(tree: &mut Tree, id: Id) {
    filtered_end(tree, id, 0, "first", "find");
}

fn filtered_end(tree: &mut Tree, id: Id, index: i64, end: &str, find: &'static str) {
    let (list, must_find) = match tree.kind(id) {
        Kind::Member(member) if tree.int(member.property) == Some(index) && !member.optional => (member.node, true),
        Kind::Builtin(builtin) if builtin.name == end && builtin.args.len() == 1 => (builtin.args[0], false),
        _ => return,
    };
    let Some(filter) = builtin(tree, list, "filter", 2) else { return };
    let found = Builtin { name: find, must_find, ..filter.clone() };
    set(tree, id, Kind::Builtin(found));
}

/// Two questions about all elements of one list are one question with two parts.
fn combine_predicates(tree: &mut Tree, id: Id) {
    let Kind::Binary(operator, left, right) = *tree.kind(id) else { return };
    let Kind::Builtin(Builtin { name, args, .. }) = tree.kind(left) else { return };
    let operator = match (*name, operator) {
        ("all", Binary::And | Binary::AndAnd) | ("any", Binary::Or | Binary::OrOr) => operator,
        ("none", Binary::And) => Binary::Or,
        ("none", Binary::AndAnd) => Binary::OrOr,
        _ => return,
    };
    let (name, [list, first]) = (*name, args.as_slice()) else { return };
    let (list, first) = (*list, *first);
    let Some(other) = builtin(tree, right, name, 2) else { return };
    if !tree.same(list, other.args[0]) {
        return;
    }
    let (Kind::Predicate(first), Kind::Predicate(second)) = (tree.kind(first), tree.kind(other.args[1])) else {
        return;
    };
    let parts = Kind::Binary(operator, *first, *second);
    let parts = tree.push(parts, 0);
    combine_predicates(tree, parts);
    let predicate = tree.push(Kind::Predicate(parts), 0);
    set(tree, id, call(name, vec![list, predicate], false));
}

/// `sum(map(…))` needs no list of the terms.
fn sum_of_map(tree: &mut Tree, id: Id) {
    let Some(sum) = builtin(tree, id, "sum", 1) else { return };
    let Some(map) = builtin(tree, sum.args[0], "map", 2) else { return };
    let kind = call("sum", map.args.clone(), false);
    set(tree, id, kind);
}

/// The sum of a literal range is a formula.
fn sum_of_range(tree: &mut Tree, id: Id) {
    let Kind::Builtin(Builtin { name, args, .. }) = tree.kind(id) else { return };
    let Some((_, _, from, to)) = args.first().and_then(|list| bounds(tree, *list)).filter(|b| b.3 >= b.2) else {
        return;
    };
    let count = to.wrapping_sub(from).wrapping_add(1);
    let sum = count.wrapping_mul(from.wrapping_add(to)).wrapping_div(2);
    let result = match (*name, args.as_slice()) {
        ("sum", [_]) => Some(sum),
        ("sum", [_, predicate]) => sum_of_terms(tree, *predicate, sum, count),
        ("reduce", [_, predicate]) if adds_up(tree, *predicate) => Some(sum),
        ("reduce", [_, predicate, start]) if adds_up(tree, *predicate) => {
            tree.int(*start).map(|start| start.wrapping_add(sum))
        }
        _ => None,
    };
    if let Some(result) = result {
        set(tree, id, Kind::Int(result));
    }
}

fn is_pointer(tree: &Tree, id: Id, name: &str) -> bool {
    matches!(tree.kind(id), Kind::Pointer(pointer) if **pointer == *name)
}

/// Whether a predicate is `# + #acc`.
fn adds_up(tree: &Tree, predicate: Id) -> bool {
    let Kind::Predicate(node) = *tree.kind(predicate) else { return false };
    let Kind::Binary(Binary::Add, left, right) = *tree.kind(node) else { return false };
    is_pointer(tree, left, "") && is_pointer(tree, right, "acc")
        || is_pointer(tree, left, "acc") && is_pointer(tree, right, "")
}

fn sum_of_terms(tree: &Tree, predicate: Id, sum: i64, count: i64) -> Option<i64> {
    let Kind::Predicate(node) = *tree.kind(predicate) else { return None };
    if is_pointer(tree, node, "") {
        return Some(sum);
    }
    let Kind::Binary(operator, left, right) = *tree.kind(node) else { return None };
    let (constant, pointer_first) = if is_pointer(tree, left, "") {
        (tree.int(right)?, true)
    } else if is_pointer(tree, right, "") {
        (tree.int(left)?, false)
    } else {
        return None;
    };
    match operator {
        Binary::Multiply => Some(constant.wrapping_mul(sum)),
        Binary::Add => Some(sum.wrapping_add(count.wrapping_mul(constant))),
        Binary::Subtract if pointer_first => Some(sum.wrapping_sub(count.wrapping_mul(constant))),
        Binary::Subtract => Some(count.wrapping_mul(constant).wrapping_sub(sum)),
        _ => None,
    }
}

/// `sum([a, b])` is `a + b`, for texts, too.
fn sum_of_list(tree: &mut Tree, id: Id) {
    let Some(sum) = builtin(tree, id, "sum", 1) else { return };
    let Kind::List(nodes) = tree.kind(sum.args[0]).clone() else { return };
    // Nested to the right, so a long list would nest deeply; it is left as it is.
    let [first @ .., before, last] = nodes.as_slice() else { return };
    if nodes.len() > 50 {
        return;
    }
    let mut kind = Kind::Binary(Binary::Add, *before, *last);
    for node in first.iter().rev() {
        let right = tree.push(kind, 0);
        kind = Kind::Binary(Binary::Add, *node, right);
    }
    set(tree, id, kind);
}

/// Comparisons of a count stop as soon as the answer is known.
fn count_to_any(tree: &mut Tree, id: Id) {
    let Kind::Binary(operator, left, right) = *tree.kind(id) else { return };
    let (Some(count), Some(limit)) = (builtin(tree, left, "count", 2), tree.int(right)) else { return };
    let enough = match operator {
        Binary::More | Binary::LessOrEqual => limit.saturating_add(1),
        Binary::MoreOrEqual | Binary::Less => limit,
        _ => return,
    };
    let args = count.args.clone();
    if enough == 1 && matches!(operator, Binary::More | Binary::MoreOrEqual) {
        set(tree, id, call("any", args, false));
    } else if enough > 1
        && let Kind::Builtin(count) = &mut tree.node_mut(left).kind
    {
        count.enough = Some(enough);
    }
}
