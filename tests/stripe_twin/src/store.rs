//! The objects, kept exactly as the API answers them.
//!
//! The documents are the twin's only state of a resource, so an answer, an event and a dump can't disagree.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use crate::error::ApiError;

/// One API object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(pub Map<String, Value>);

impl From<Value> for Object {
    /// Anything but a JSON object becomes the empty object.
    fn from(value: Value) -> Self {
        match value {
            Value::Object(map) => Self(map),
            _ => Self::default(),
        }
    }
}

impl Object {
    pub fn id(&self) -> &str {
        self.text("id")
    }

    /// The text of a field, empty when it is absent or null.
    pub fn text(&self, field: &str) -> &str {
        self.optional(field).unwrap_or_default()
    }

    pub fn optional(&self, field: &str) -> Option<&str> {
        self.0.get(field)?.as_str()
    }

    /// The number in a field, 0 when it is absent or null.
    pub fn integer(&self, field: &str) -> i64 {
        self.0.get(field).and_then(Value::as_i64).unwrap_or_default()
    }

    pub fn flag(&self, field: &str) -> bool {
        self.0.get(field).and_then(Value::as_bool).unwrap_or_default()
    }

    pub fn get(&self, field: &str) -> &Value {
        self.0.get(field).unwrap_or(&Value::Null)
    }

    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.0.insert(field.to_owned(), value.into());
    }

    pub fn value(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

#[derive(Clone, Debug, Default)]
pub struct Store {
    objects: HashMap<String, Entry>,
    /// Ids by kind, oldest first.
    kinds: BTreeMap<String, Vec<String>>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// The account whose object it is.
    owner: String,
    object: Object,
}

impl Store {
    /// Adds a new object of an account under its own id.
    pub fn add(&mut self, owner: &str, object: Object) {
        let id = object.id().to_owned();
        self.kinds.entry(object.text("object").to_owned()).or_default().push(id.clone());
        self.objects.insert(id, Entry { owner: owner.to_owned(), object });
    }

    /// An object whoever's it is.
    pub fn any(&self, id: &str) -> Option<&Object> {
        self.objects.get(id).map(|entry| &entry.object)
    }

    pub fn owner(&self, id: &str) -> Option<&str> {
        self.objects.get(id).map(|entry| entry.owner.as_str())
    }

    /// A copy of an account's object of one kind.
    ///
    /// # Errors
    /// `resource_missing` when it is unknown, of another kind or another account's.
    pub fn find(&self, owner: &str, kind: &str, id: &str) -> Result<Object, ApiError> {
        let entry = self.objects.get(id).filter(|entry| entry.owner == owner && entry.object.text("object") == kind);
        entry.map(|entry| entry.object.clone()).ok_or_else(|| ApiError::missing(kind, id))
    }

    /// Changes an object in place and returns a copy of what it became. An unknown id changes nothing.
    pub fn edit(&mut self, id: &str, change: impl FnOnce(&mut Object)) -> Object {
        let Some(entry) = self.objects.get_mut(id) else { return Object::default() };
        change(&mut entry.object);
        entry.object.clone()
    }

    /// An account's objects of one kind, newest first.
    pub fn newest_first<'a>(&'a self, owner: &'a str, kind: &str) -> impl Iterator<Item = &'a Object> {
        let ids = self.kinds.get(kind).map(Vec::as_slice).unwrap_or_default();
        let entries = ids.iter().rev().filter_map(|id| self.objects.get(id));
        entries.filter(move |entry| entry.owner == owner).map(|entry| &entry.object)
    }

    /// Every object, by kind and oldest first, with its owner.
    pub fn dump(&self) -> Value {
        let kinds = self.kinds.iter().map(|(kind, ids)| {
            let objects = ids.iter().filter_map(|id| self.any(id)).map(Object::value).collect();
            (kind.clone(), Value::Array(objects))
        });
        Value::Object(kinds.collect())
    }
}
