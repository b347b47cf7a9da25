//! The forms that change a lock. Each is taken only from a session that may, with that session's token, from this site's own page, and
//! with a reason.

use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Form, OriginalUri, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use disco_dlm::model::{HostName, LockName};
use disco_dlm::native::ask::LONGEST_NOTE;
use disco_dlm::native::route::encoded;
use disco_dlm::rules::{Answer, Operation};
use serde::Deserialize;

use super::lock::shown;
use super::view::lock::Said;
use super::visit::{Visitor, away};
use super::{Pages, guard, trouble};
use crate::access::Permission;
use crate::store::{Ask, Which};

#[derive(Deserialize)]
pub struct Act {
    csrf: String,
    #[serde(default)]
    reason: String,
    /// Whose slot, where not everybody's is meant.
    host: Option<String>,
}

/// `POST /locks/NAME/ACTION`
pub async fn act(
    State(pages): State<Pages>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    visitor: Visitor,
    path: Result<Path<(String, String)>, PathRejection>,
    form: Result<Form<Act>, FormRejection>,
) -> Response {
    let Ok(Form(form)) = form else {
        return trouble(StatusCode::BAD_REQUEST, "The form was not whole. Nothing was changed.");
    };
    let ours = visitor.csrf.as_ref().is_some_and(|secret| secret.is(&form.csrf));
    if !ours || !guard::same_origin(&uri, &headers) {
        let what = "The form was too old, or came from another site. Nothing was changed. Where a proxy is in front of this \
                    server, it has to pass the header Host on as it is.";
        return trouble(StatusCode::FORBIDDEN, what);
    }
    if let Some(refused) = visitor.lacks(Permission::EditDlmlocks) {
        return refused;
    }
    let Ok(Path((name, action))) = path else {
        return trouble(StatusCode::NOT_FOUND, "There is no such page.");
    };
    let Ok(name) = LockName::new(name) else {
        return trouble(StatusCode::BAD_REQUEST, "No lock can have such a name.");
    };
    let reason = form.reason.trim().to_owned();
    if reason.is_empty() || reason.len() > LONGEST_NOTE {
        let what = "Nothing was changed: say why, in 1000 bytes at most. The reason goes into the log.";
        return shown(&pages, &visitor, &name, StatusCode::UNPROCESSABLE_ENTITY, Said::Wrong(what), 1).await;
    }
    let Some(operation) = operation(&action, form.host, reason) else {
        return trouble(StatusCode::NOT_FOUND, "There is no such page.");
    };
    let ask = Ask { which: Which::Named(name.clone()), requester: visitor.requester(), operation };
    match pages.app.store.ask(ask).await {
        Ok(told) if told.answer == Answer::Updated => {
            Redirect::to(&format!("/locks/{}?done={action}", encoded(name.as_str()))).into_response()
        }
        Ok(_) => trouble(StatusCode::NOT_FOUND, "There is no lock of this name any more."),
        Err(error) => away(error),
    }
}

fn operation(action: &str, host: Option<String>, reason: String) -> Option<Operation> {
    Some(match action {
        "enable" => Operation::Switch { enabled: true, reason },
        "disable" => Operation::Switch { enabled: false, reason },
        "thaw" => Operation::Thaw { reason },
        "release" => {
            let host = host.map(HostName::new).transpose().ok()?;
            Operation::ForceRelease { host, reason }
        }
        _ => return None,
    })
}
