//! What an operator does, on a real file, and what is said where it cannot be.

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier;
use argon2::password_hash::phc::PasswordHash;

use super::*;

fn admin() -> (tempfile::TempDir, Admin) {
    let folder = tempfile::tempdir().unwrap();
    let admin = Admin::open(&StoreAt::Sqlite(folder.path().join("locks.db"))).unwrap();
    (folder, admin)
}

fn said<T: std::fmt::Debug>(done: Done<T>) -> String {
    done.unwrap_err().to_string()
}

#[test]
fn hosts_are_added_changed_and_removed() {
    let (_folder, admin) = admin();
    let web = HostName::new("web1.example").unwrap();
    let groups = Some(BTreeSet::from([String::from("web")]));
    let host = admin.add_host(&web, HostChange { groups, may_acquire: None }).unwrap();
    assert!(host.may_acquire && host.groups.contains("web"));
    assert_eq!(said(admin.add_host(&web, HostChange::default())), "host web1.example: it is known already");
    let host = admin.set_host(&web, HostChange { groups: None, may_acquire: Some(false) }).unwrap();
    assert!(!host.may_acquire && host.groups.contains("web"), "what is not said stays");
    assert_eq!(admin.hosts().unwrap(), [host]);
    admin.remove_host(&web).unwrap();
    assert_eq!(said(admin.remove_host(&web)), "host web1.example: it is not known");
    assert_eq!(said(admin.set_host(&web, HostChange::default())), "host web1.example: it is not known");
}

#[test]
fn users_have_passwords_and_tokens_and_neither_is_kept() {
    let (_folder, admin) = admin();
    let (eve, now) = (UserName::new("eve").unwrap(), Time::new(1000, 0));
    let new = |password: &str| NewUser {
        roles: BTreeSet::from([String::from("Viewer")]),
        password: Some(password.to_owned()),
        ..NewUser::default()
    };
    assert_eq!(said(admin.add_user(&eve, new("short"))), "the password has 5 characters: use 12 at least");
    admin.add_user(&eve, new("a long password")).unwrap();
    assert_eq!(said(admin.add_user(&eve, NewUser::default())), "user eve: there is one already");
    let is = |password: &str| {
        let hash = admin.user(&eve).unwrap().password.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        Argon2::default().verify_password(password.as_bytes(), &PasswordHash::new(&hash).unwrap()).is_ok()
    };
    assert!(is("a long password") && !is("a long passwore"));
    admin.set_password(&eve, "another password").unwrap();
    assert!(is("another password") && !is("a long password"));
    let token = admin.add_token(&eve, "ci", Some(2), now).unwrap();
    assert_eq!(token.len(), 43);
    assert_eq!(said(admin.add_token(&eve, "ci", None, now)), "user eve has a token \"ci\" already");
    let kept = admin.user(&eve).unwrap();
    assert_eq!(kept.tokens[0].sha256, secret::sha256(&token));
    assert_eq!(kept.tokens[0].expires, Some(Time::new(1000 + 2 * 86_400, 0)));
    assert!(!format!("{kept:?}").contains(&token));
    admin.remove_token(&eve, "ci").unwrap();
    assert_eq!(said(admin.remove_token(&eve, "ci")), "user eve has no token \"ci\"");
    admin.remove_user(&eve).unwrap();
    assert_eq!(said(admin.user(&eve)), "user eve: there is none");
    assert_eq!(said(admin.set_password(&eve, "a long password")), "user eve: there is none");
    assert_eq!(said(admin.remove_user(&eve)), "user eve: there is none");
    assert!(admin.users().unwrap().is_empty());
}
