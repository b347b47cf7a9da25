//! For tests of pages: browsers that keep cookies and send forms, users who log in by a token (which is quick), and the real identity
//! in front of the routes.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use sha2::{Digest, Sha256};

use super::routes;
use crate::access::{ApiToken, Permission, User};
use crate::app::App;
use crate::identity::{self, Identity};
use crate::listen::LogLevel;
use crate::stage::{Reply, Stage, nobody};
use crate::store::Store;
use disco_listen::Log;

const SITE: &str = "dlm.example.com";

pub fn pages(app: App) -> Router {
    let log = Log::to(LogLevel::Debug, std::io::sink());
    identity::layer(routes(app.clone()), Identity::new(app, None, 2, log).unwrap())
}

pub fn token(secret: &str) -> ApiToken {
    let sha256 = Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    ApiToken { name: "t".into(), sha256, created: Default::default(), expires: None }
}

/// A server with a user `alice` whose token is `secret`, and a role for each permission, of its name.
pub async fn stage_for(permissions: &[Permission]) -> Stage {
    let stage = Stage::new(|app| {
        let mut set = (*app.set).clone();
        for one in Permission::ALL {
            set.roles.insert(one.name().into(), [one].into());
        }
        pages(App { set: set.into(), ..app })
    });
    put_user(&stage, permissions).await;
    stage
}

pub async fn put_user(stage: &Stage, permissions: &[Permission]) {
    let user = User {
        login: "alice".parse().unwrap(),
        password: None,
        admin: false,
        roles: permissions.iter().map(|one| one.name().to_owned()).collect(),
        tokens: vec![token("secret")],
    };
    stage.store.put_user(&user).await.unwrap();
}

/// A browser.
#[derive(Clone)]
pub struct Browser {
    pub stage: Stage,
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn new(stage: &Stage) -> Browser {
        Browser { stage: stage.clone(), cookies: BTreeMap::new() }
    }

    /// One that is logged in.
    pub async fn logged_in(stage: &Stage) -> Browser {
        let mut browser = Browser::new(stage);
        let reply = browser.log_in("alice", "secret", "").await;
        assert_eq!(reply.status, 303, "{}", reply.text);
        browser
    }

    pub async fn log_in(&mut self, login: &str, password: &str, next: &str) -> Reply {
        let form = self.get("/login").await;
        let csrf = csrf(&form.text);
        let fields = [("csrf", csrf.as_str()), ("login", login), ("password", password), ("next", next)];
        self.post("/login", &fields).await
    }

    fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::builder().method(method).uri(path).header("host", SITE);
        if cookies.is_empty() { request } else { request.header("cookie", cookies.join("; ")) }
    }

    pub async fn send(&mut self, request: Request<Body>) -> Reply {
        let reply = self.stage.send(&nobody(), request).await;
        for cookie in reply.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0;") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.into(), value.into());
            }
        }
        reply
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        let request = self.request("GET", path).body(Body::empty()).unwrap();
        self.send(request).await
    }

    /// A form, as sent from a page of this site.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.post_from(Some("https://dlm.example.com"), path, fields).await
    }

    pub async fn post_from(&mut self, origin: Option<&str>, path: &str, fields: &[(&str, &str)]) -> Reply {
        let encoded = |text: &str| disco_dlm::native::route::encoded(text);
        let pairs: Vec<String> =
            fields.iter().map(|(key, value)| format!("{}={}", encoded(key), encoded(value))).collect();
        let mut request =
            self.request("POST", path).header("content-type", "application/x-www-form-urlencoded");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let request = request.body(Body::from(pairs.join("&"))).unwrap();
        self.send(request).await
    }
}

/// The secret of the first form of a page; empty where it has none.
pub fn csrf(page: &str) -> String {
    let Some((_, rest)) = page.split_once("name=\"csrf\" value=\"") else { return String::new() };
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// The tags of a page with the names of their attributes, without any text: what strangers' words must not change. A tag that no browser
/// would understand so is a panic.
pub fn skeleton(page: &str) -> Vec<String> {
    let mut tags = vec![];
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let (mut tag, mut quoted, mut end) = (String::new(), false, None);
        for (at, c) in rest.char_indices() {
            match c {
                '"' => quoted = !quoted,
                '>' if !quoted => {
                    end = Some(at);
                    break;
                }
                c if !quoted => tag.push(c),
                _ => {}
            }
        }
        rest = &rest[end.expect("a tag without an end") + 1..];
        tags.push(tag);
    }
    tags
}
