//! What is said to etcd and what it says: the part of its JSON gateway (`/v3/kv/…`) that a store needs, as plain data. Keys and values
//! go in base64, numbers come as texts, and what is zero or empty is left out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::keys::Span;

/// The most operations in one transaction, as etcd is by default (`--max-txn-ops` 128). More are put into transactions inside of it.
const MOST_OPERATIONS: usize = 100;

/// A transaction: if every guard holds then one list of operations, else the other.
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    /// Keys, and the revision at which each was written last, 0 where there is none.
    pub guards: Vec<(String, u64)>,
    /// If they are all as said.
    pub then: Vec<Operation>,
    /// If not.
    pub or: Vec<Operation>,
}

/// An operation of a transaction.
#[derive(Debug, Clone)]
pub enum Operation {
    /// The key and what it has.
    Get(String),
    /// This value for the key from now on.
    Put(String, Vec<u8>),
    /// No such key any more.
    Delete(String),
    /// A transaction of its own.
    Nested(Transaction),
}

impl Operation {
    /// This value for the key, as JSON.
    pub fn put<T: Serialize + ?Sized>(key: String, value: &T) -> Operation {
        // What is stored is plain data whose maps have texts for keys: there is nothing in it that JSON has no form for.
        Operation::Put(key, serde_json::to_vec(value).expect("plain data has a form as JSON"))
    }
}

/// In what order keys are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// By key.
    Key,
    /// The one that was made first, first.
    Oldest,
    /// The one that was made last, first.
    Newest,
}

/// Keys that are wanted, with their values. Never `serializable`: that answers without a majority.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Which.
    pub span: Span,
    /// In what order.
    pub sort: Sort,
    /// So many at most; 0 is all.
    pub limit: u64,
    /// Only those made at this revision or later.
    pub made_from: u64,
    /// Only those made at this revision or before; 0 is no limit.
    pub made_until: u64,
    /// Whether keys without their values are enough.
    pub keys_only: bool,
}

impl Wanted {
    /// All of them, by key.
    pub fn all(span: Span) -> Wanted {
        Wanted { span, sort: Sort::Key, limit: 0, made_from: 0, made_until: 0, keys_only: false }
    }

    /// As the gateway wants it.
    pub fn json(&self) -> Value {
        let (target, order) = match self.sort {
            Sort::Key => ("KEY", "NONE"),
            Sort::Oldest => ("CREATE", "ASCEND"),
            Sort::Newest => ("CREATE", "DESCEND"),
        };
        json!({
            "key": STANDARD.encode(&self.span.from),
            "range_end": STANDARD.encode(&self.span.to),
            "limit": self.limit.to_string(),
            "sort_target": target,
            "sort_order": order,
            "min_create_revision": self.made_from.to_string(),
            "max_create_revision": self.made_until.to_string(),
            "keys_only": self.keys_only,
        })
    }
}

impl Transaction {
    /// As the gateway wants it.
    pub fn json(&self) -> Value {
        let guard = |(key, revision): &(String, u64)| {
            json!({
                "key": STANDARD.encode(key),
                "target": "MOD",
                "result": "EQUAL",
                "mod_revision": revision.to_string(),
            })
        };
        json!({
            "compare": self.guards.iter().map(guard).collect::<Vec<_>>(),
            "success": operations(&self.then),
            "failure": operations(&self.or),
        })
    }
}

fn operations(all: &[Operation]) -> Vec<Value> {
    if all.len() <= MOST_OPERATIONS {
        return all.iter().map(operation).collect();
    }
    all.chunks(MOST_OPERATIONS)
        .map(|some| json!({ "request_txn": { "success": some.iter().map(operation).collect::<Vec<_>>() } }))
        .collect()
}

fn operation(operation: &Operation) -> Value {
    match operation {
        Operation::Get(key) => json!({ "request_range": { "key": STANDARD.encode(key) } }),
        Operation::Put(key, value) => {
            json!({ "request_put": { "key": STANDARD.encode(key), "value": STANDARD.encode(value) } })
        }
        Operation::Delete(key) => json!({ "request_delete_range": { "key": STANDARD.encode(key) } }),
        Operation::Nested(transaction) => json!({ "request_txn": transaction.json() }),
    }
}

/// The deletion of a span.
pub fn delete(span: &Span) -> Value {
    json!({ "key": STANDARD.encode(&span.from), "range_end": STANDARD.encode(&span.to) })
}

/// A watch of a span, from now on.
pub fn watch(span: &Span) -> Value {
    json!({ "create_request": delete(span) })
}

/// What came of a transaction.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct TransactionSaid {
    /// At which revision.
    pub header: Header,
    /// Whether the guards held.
    pub succeeded: bool,
    /// What came of each operation.
    pub responses: Vec<OperationSaid>,
}

/// At which revision etcd answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Header {
    /// The revision.
    #[serde(deserialize_with = "number")]
    pub revision: u64,
}

/// What came of an operation; only what is read is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OperationSaid {
    /// Of a `Get`.
    pub response_range: RangeSaid,
    /// Of a `Nested`.
    pub response_txn: Option<Box<TransactionSaid>>,
}

/// Keys and values.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct RangeSaid {
    /// At which revision.
    pub header: Header,
    /// What was found.
    pub kvs: Vec<Entry>,
    /// How many there are in the whole span, whatever the limit; revisions are not looked at.
    #[serde(deserialize_with = "number")]
    pub count: u64,
    /// Whether the limit left some out.
    pub more: bool,
}

/// A key and its value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// The key.
    #[serde(deserialize_with = "text")]
    pub key: String,
    /// The revision at which it was made.
    #[serde(deserialize_with = "number")]
    pub create_revision: u64,
    /// The revision at which it was written last.
    #[serde(deserialize_with = "number")]
    pub mod_revision: u64,
    /// The value.
    #[serde(deserialize_with = "bytes")]
    pub value: Vec<u8>,
}

/// What came of a deletion.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeleteSaid {
    /// How many keys went.
    #[serde(deserialize_with = "number")]
    pub deleted: u64,
}

/// A login that was good.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LoginSaid {
    /// What stands for it from now on.
    pub token: String,
}

/// What a member says when it does not do it.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ErrorSaid {
    /// Of gRPC.
    pub code: i64,
    /// In words.
    pub error: String,
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Text(String),
        Number(u64),
    }
    match Said::deserialize(from)? {
        Said::Text(text) => text.parse().map_err(D::Error::custom),
        Said::Number(number) => Ok(number),
    }
}

fn bytes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
}

fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    String::from_utf8(bytes(from)?).map_err(D::Error::custom)
}
