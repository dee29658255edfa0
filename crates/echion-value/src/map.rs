//! Maps: string keys (the common case), and the few with other keys that expressions produce.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::{CallError, Str, Type, Value};

/// Up to this many entries a scan that compares lengths first beats a binary search.
const SCAN: usize = 16;

/// How many values `set` looks through for a cycle before it gives up.
const CYCLE_SEARCH: usize = 100_000;

/// A Go map with string keys, shared by all its names.
///
/// Nearly every map is read only, so entries are a sorted slice that lookups borrow from. The first change (sprig's `set`,
/// `unset`, `merge`) moves the entries into a locked tree, which every name of the map then reads.
#[derive(Clone, Debug)]
pub struct Map(Arc<MapData>);

#[derive(Debug)]
struct MapData {
    element: Type,
    nil: bool,
    entries: Vec<(Str, Value)>,
    changed: OnceLock<Mutex<BTreeMap<Str, Value>>>,
}

impl Map {
    /// `map[string]interface {}` of these entries; of equal keys the last one wins.
    #[must_use]
    pub fn of_any(entries: Vec<(Str, Value)>) -> Self {
        Self::new(Type::Any, entries)
    }

    /// `map[string]T` of these entries; of equal keys the last one wins.
    #[must_use]
    pub fn new(element: Type, mut entries: Vec<(Str, Value)>) -> Self {
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            // `dedup_by` keeps the first of equal neighbours, so the later value is moved into it.
            entries.dedup_by(|later, kept| {
                let equal = later.0 == kept.0;
                if equal {
                    std::mem::swap(&mut later.1, &mut kept.1);
                }
                equal
            });
        }
        Self(Arc::new(MapData { element, nil: false, entries, changed: OnceLock::new() }))
    }

    /// A nil map: empty, equal to `nil`, `null` in JSON.
    #[must_use]
    pub fn nil(element: Type) -> Self {
        Self(Arc::new(MapData { element, nil: true, entries: Vec::new(), changed: OnceLock::new() }))
    }

    /// The type of its values.
    #[must_use]
    pub fn element(&self) -> Type {
        self.0.element
    }

    /// Whether it is a nil map.
    #[must_use]
    pub fn is_nil(&self) -> bool {
        self.0.nil
    }

    /// The value under `key`. What a missing key means is the language's business.
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Cow<'_, Value>> {
        let key = key.as_ref();
        match self.changed() {
            None => self.find(key).map(Cow::Borrowed),
            Some(tree) => tree.get(key).cloned().map(Cow::Owned),
        }
    }

    /// As [`Self::get`], without a copy, of a map that has not been changed: `None` when it has.
    #[inline]
    #[must_use]
    pub fn peek(&self, key: &[u8]) -> Option<Option<&Value>> {
        if self.0.changed.get().is_none() { Some(self.find(key)) } else { None }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changed().map_or(self.0.entries.len(), |tree| tree.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entries in the order of their keys.
    #[must_use]
    pub fn entries(&self) -> Cow<'_, [(Str, Value)]> {
        match self.changed() {
            None => Cow::Borrowed(&self.0.entries),
            Some(tree) => Cow::Owned(tree.iter().map(|(k, v)| (k.clone(), v.clone())).collect()),
        }
    }

    /// Sets an entry for every name of this map.
    ///
    /// # Errors
    /// When the value contains this very map: such a map could not be printed, and never be freed.
    pub fn set(&self, key: Str, value: Value) -> Result<(), CallError> {
        let mut seen = 0;
        if self.is_inside(&value, &mut seen) {
            return Err(CallError::new("a map cannot be set into itself"));
        }
        if seen > CYCLE_SEARCH {
            return Err(CallError::new("the value is too large to be set into a map"));
        }
        self.tree().insert(key, value);
        Ok(())
    }

    /// Removes an entry for every name of this map.
    pub fn remove(&self, key: impl AsRef<[u8]>) {
        self.tree().remove(key.as_ref());
    }

    /// Whether both are names of the same map.
    #[must_use]
    pub fn same(&self, other: &Map) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    fn find(&self, key: &[u8]) -> Option<&Value> {
        let entries = &self.0.entries;
        if entries.len() <= SCAN {
            return entries.iter().find(|(k, _)| k.as_bytes() == key).map(|(_, v)| v);
        }
        let at = entries.binary_search_by(|(k, _)| k.as_bytes().cmp(key)).ok()?;
        entries.get(at).map(|(_, v)| v)
    }

    fn changed(&self) -> Option<MutexGuard<'_, BTreeMap<Str, Value>>> {
        self.0.changed.get().map(|tree| tree.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tree(&self) -> MutexGuard<'_, BTreeMap<Str, Value>> {
        self.0
            .changed
            .get_or_init(|| Mutex::new(self.0.entries.iter().cloned().collect()))
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn is_inside(&self, value: &Value, seen: &mut usize) -> bool {
        let mut pending = vec![value.clone()];
        while let Some(value) = pending.pop() {
            *seen += 1;
            if *seen > CYCLE_SEARCH {
                return false;
            }
            match value {
                Value::Map(map) if map.same(self) => return true,
                Value::Map(map) => pending.extend(map.entries().iter().map(|(_, v)| v.clone())),
                Value::List(list) => pending.extend(list.items().iter().cloned()),
                Value::Table(table) => pending.extend(table.entries().iter().map(|(_, v)| v.clone())),
                _ => {}
            }
        }
        false
    }

    /// Takes the values when this is the last name of the map.
    pub(crate) fn into_unique_values(self) -> Option<Vec<Value>> {
        Arc::try_unwrap(self.0).ok().map(|mut data| data.take_values())
    }
}

impl MapData {
    fn take_values(&mut self) -> Vec<Value> {
        let mut values: Vec<Value> = std::mem::take(&mut self.entries).into_iter().map(|(_, v)| v).collect();
        if let Some(tree) = self.changed.take() {
            values.extend(tree.into_inner().unwrap_or_else(PoisonError::into_inner).into_values());
        }
        values
    }
}

impl Drop for MapData {
    fn drop(&mut self) {
        let values = self.take_values();
        crate::value::drop_flat(values);
    }
}

/// A Go map whose keys are not strings (`map[interface {}]interface {}` of `groupBy`): read only, in the order of creation.
#[derive(Clone, Debug)]
pub struct Table(Arc<TableData>);

#[derive(Debug)]
struct TableData {
    key: Type,
    element: Type,
    entries: Vec<(Value, Value)>,
}

impl Table {
    /// A map of these entries, whose keys are distinct.
    #[must_use]
    pub fn new(key: Type, element: Type, entries: Vec<(Value, Value)>) -> Self {
        Self(Arc::new(TableData { key, element, entries }))
    }

    /// The type of its keys.
    #[must_use]
    pub fn key(&self) -> Type {
        self.0.key
    }

    /// The type of its values.
    #[must_use]
    pub fn element(&self) -> Type {
        self.0.element
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> &[(Value, Value)] {
        &self.0.entries
    }
}

impl Drop for TableData {
    fn drop(&mut self) {
        crate::value::drop_flat(std::mem::take(&mut self.entries).into_iter().map(|(_, v)| v).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(entries: &[(&str, i64)]) -> Map {
        Map::of_any(entries.iter().map(|(k, v)| (Str::from(*k), Value::Int(*v))).collect())
    }

    fn int(value: Option<Cow<'_, Value>>) -> Option<i64> {
        match value.as_deref() {
            Some(Value::Int(n)) => Some(*n),
            _ => None,
        }
    }

    #[test]
    fn the_last_of_equal_keys_wins() {
        let map = map(&[("b", 1), ("a", 2), ("b", 3)]);
        assert_eq!(map.len(), 2);
        assert_eq!(int(map.get("b")), Some(3));
    }

    #[test]
    fn lookups_agree_below_and_above_the_scan_limit() {
        for size in [1, SCAN, SCAN + 1, 100] {
            let map = Map::of_any((0..size).map(|i| (Str::from(format!("k{i}")), Value::Int(i as i64))).collect());
            for i in 0..size {
                assert_eq!(int(map.get(format!("k{i}"))), Some(i as i64), "size {size}");
            }
            assert!(map.get("nope").is_none());
        }
    }

    #[test]
    fn a_change_is_seen_through_every_name() {
        let first = map(&[("a", 1)]);
        let second = first.clone();
        second.set(Str::from("b"), Value::Int(2)).unwrap();
        second.remove("a");
        assert_eq!(int(first.get("b")), Some(2));
        assert!(first.get("a").is_none());
        assert_eq!(first.entries().len(), 1);
    }

    #[test]
    fn a_map_does_not_go_into_itself() {
        let inner = map(&[]);
        let outer = Map::of_any(vec![(Str::from("inner"), Value::Map(inner.clone()))]);
        assert!(inner.set(Str::from("outer"), Value::Map(outer)).is_err());
        assert!(inner.is_empty());
    }

    #[test]
    fn a_chain_of_a_million_maps_is_freed_without_recursion() {
        let mut value = Value::Nil;
        for i in 0..1_000_000 {
            value = if i % 2 == 0 {
                Value::Map(Map::of_any(vec![(Str::from("n"), value)]))
            } else {
                Value::from(vec![value])
            };
        }
        drop(value);
    }
}
