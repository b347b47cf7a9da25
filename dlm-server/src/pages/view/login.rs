//! The login form.

use maud::{Markup, html};

use super::super::session::Secret;
use super::layout::{hidden, whole};

/// The form; `what` is what went wrong before.
pub fn form(secret: &Secret, next: &str, what: &str) -> Markup {
    let main = html! {
        h1 { "Log in" }
        @if !what.is_empty() { p.wrong role="alert" { (what) } }
        form.login method="post" action="/login" {
            (hidden(secret))
            input type="hidden" name="next" value=(next);
            label for="login" { "Login" }
            input #login name="login" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus maxlength="255";
            label for="password" { "Password or token" }
            input #password type="password" name="password" autocomplete="current-password" required maxlength="1000";
            button { "Log in" }
        }
    };
    whole("Log in", None, &main)
}
