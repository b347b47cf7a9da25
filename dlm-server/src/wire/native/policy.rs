//! Policies: read strictly, replaced whole, or changed in part. A part is merged into the policy as it is (RFC 7396), and swapped in
//! only if the policy is still that one, so that of two changes at once none is lost.

use axum::Json;
use axum::extract::State;
use disco_dlm::model::Policy;
use disco_dlm::native::ask::Create;
use disco_dlm::native::say::LockSaid;
use disco_dlm::rules::{Answer, Operation};
use serde_json::{Map, Value};

use super::Native;
use super::asked::{Body, Named, Who};
use super::error::Problem;
use super::locks::done;
use crate::access::Permission;
use crate::store::Which;

/// How often a change begins again because another one was quicker.
const MOST_TRIES: usize = 20;
/// What a part of a policy may be said to be.
const MERGE_PATCH: [&str; 2] = ["application/json", "application/merge-patch+json"];

/// `GET /locks/NAME/policy`
pub async fn show(
    State(native): State<Native>,
    who: Who,
    Named(name): Named,
) -> Result<Json<Policy>, Problem> {
    let by = who.host_or(Permission::ViewDlmlocks)?;
    let told = native.look(&name, by).await?;
    told.after.map(|lock| Json(lock.policy)).ok_or(Problem::NoLock(name))
}

/// `PUT /locks/NAME/policy`
pub async fn replace(
    State(native): State<Native>,
    who: Who,
    Named(name): Named,
    body: Body,
) -> Result<Json<LockSaid>, Problem> {
    let by = who.user(Permission::EditDlmlocks)?;
    let policy = read(body.read::<Value>()?)?;
    let told = native.ask(Which::Named(name.clone()), by, Operation::SetPolicy(policy)).await?;
    native.rooms.poke(&name);
    Ok(Json(done(&native, &name, &name, &told)?))
}

/// `PATCH /locks/NAME/policy`
pub async fn change(
    State(native): State<Native>,
    who: Who,
    Named(name): Named,
    body: Body,
) -> Result<Json<LockSaid>, Problem> {
    let by = who.user(Permission::EditDlmlocks)?;
    let part: Value = body.read_as(&MERGE_PATCH)?;
    let mut lock = native.look(&name, by.clone()).await?.after;
    for _ in 0..MOST_TRIES {
        let Some(found) = lock else { return Err(Problem::NoLock(name)) };
        let to = changed(&found.policy, &part)?;
        let swap = Operation::SwapPolicy { from: Box::new(found.policy), to: Box::new(to) };
        let told = native.ask(Which::Named(name.clone()), by.clone(), swap).await?;
        if told.answer != Answer::Shown {
            native.rooms.poke(&name);
            return Ok(Json(done(&native, &name, &name, &told)?));
        }
        lock = told.after;
    }
    Err(Problem::Contended(name))
}

/// The policy with this part merged into it, or what is wrong with that.
pub(super) fn changed(policy: &Policy, part: &Value) -> Result<Policy, Problem> {
    if !part.is_object() {
        return Err(Problem::Bad(String::from("a part of a policy is a JSON object")));
    }
    let mut whole = serde_json::to_value(policy).map_err(|error| Problem::Policy(error.to_string()))?;
    merge(&mut whole, part);
    // Slots are a number or a share: saying one takes the other away.
    if let (Some(Value::Object(slots)), Some(Value::Object(said))) =
        (whole.get_mut("slots"), part.get("slots"))
    {
        slots.retain(|kind, _| said.contains_key(kind));
    }
    read(whole)
}

/// RFC 7396, section 2.
fn merge(target: &mut Value, part: &Value) {
    let Value::Object(part) = part else {
        *target = part.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in part {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// The policy that this says. What it does not say is as by default; a field that there is not is an error.
pub(super) fn read(value: Value) -> Result<Policy, Problem> {
    let mut unknown = None;
    let policy: Policy = serde_ignored::deserialize(value, |path| {
        unknown.get_or_insert_with(|| path.to_string());
    })
    .map_err(|error| Problem::Policy(error.to_string()))?;
    if let Some(field) = unknown {
        return Err(Problem::Bad(format!("a policy has no field {field:?}")));
    }
    policy.check()?;
    Ok(policy)
}

/// What is asked of a new lock, and its policy, which has a code of its own for what is wrong with it.
pub(super) fn read_create(body: &Body) -> Result<(Create, Policy), Problem> {
    let mut value: Value = body.read()?;
    let policy = value.as_object_mut().and_then(|fields| fields.remove("policy"));
    let create = serde_json::from_value(value).map_err(|error| Problem::Bad(format!("the body: {error}")))?;
    Ok((create, policy.map_or_else(|| Ok(Policy::default()), read)?))
}
