//! Each row of the wire as a row of a table, against a real server over real TLS. docs/dlm-foreman.md names these tests.

use disco_dlm::model::{Holder, HostName, LockName, Policy, Queue, Requester, Seconds, Slots, UserName};
use disco_dlm::rules::Operation;

use crate::access::HostChange;
use crate::serve::stage::{Client, Said, Stage, now};
use crate::store::{Ask, Store, Told, Which};

const T: &str = "2026-11-22 07:43:39 UTC";

/// A lock as the wire has it; `host` is its id, name and what is said of `self`.
fn lock(id: u64, name: &str, enabled: bool, kind: &str, host: Option<(u64, &str, &str)>) -> String {
    let kind =
        if kind.is_empty() { String::from("null") } else { format!("\"ForemanDlm::Dlmlock::{kind}\"") };
    let (host_id, host) = host.map_or((String::from("null"), String::from("null")), |(id, name, own)| {
        let own = if own.is_empty() { String::new() } else { format!(",\"self\":{own}") };
        (id.to_string(), format!("{{\"name\":\"{name}\"{own}}}"))
    });
    format!(
        "{{\"id\":{id},\"host_id\":{host_id},\"name\":\"{name}\",\"enabled\":{enabled},\"type\":{kind},\
         \"created_at\":\"{T}\",\"updated_at\":\"{T}\",\"host\":{host}}}"
    )
}

fn free(id: u64, name: &str) -> String {
    lock(id, name, true, "Update", None)
}

fn held(id: u64, name: &str, host: (u64, &str, &str)) -> String {
    lock(id, name, true, "Update", Some(host))
}

const WEB1: (u64, &str, &str) = (1, "web1", "");
const REFUSED: &str = "Precondition failed. Lock is in invalid state for this operation.";

fn refused(id: u64) -> String {
    format!("412 {{\"error\":{{\"id\":{id},\"message\":\"{REFUSED}\"}}}}")
}

/// The same with what disco adds: when to ask again.
fn refused_for(id: u64, seconds: u64) -> String {
    format!("412 {{\"error\":{{\"id\":{id},\"message\":\"{REFUSED}\",\"retry_after\":{seconds}}}}}")
}

fn unauthorized(login: &str) -> String {
    format!("401 {{\"error\":{{\"message\":\"Unable to authenticate user {login}\"}}}}")
}

fn missing(permission: &str) -> String {
    format!(
        "403 {{\"error\":{{\"message\":\"Access denied\",\"details\":\"Missing one of the required permissions: \
         {permission}\",\"missing_permissions\":[\"{permission}\"]}}}}"
    )
}

const NO_HOST: &str = "403 {\"error\":{\"message\":\"Access denied\",\"details\":\"You need to authenticate with a \
                       valid client cert. The DN has to match a known host.\",\"missing_permissions\":null}}";

fn not_found(resource: &str, id: &str) -> String {
    format!("404 {{\"error\":{{\"message\":\"Resource {resource} not found by id '{id}'\"}}}}")
}

fn media(given: &str) -> String {
    format!(
        "415 {{\"error\":{{\"message\":\"Media type in 'Content-Type: {given}' is unsupported in API v2 for POST and PUT \
         requests. Please use 'Content-Type: application/json'.\"}}}}"
    )
}

fn invalid(id: &str, attribute: &str, what: &str, full: &str) -> String {
    format!(
        "422 {{\"error\":{{\"id\":{id},\"errors\":{{\"{attribute}\":[\"{what}\"]}},\"full_messages\":[\"{full}\"]}}}}"
    )
}

/// Asks one after the other, and compares each answer.
fn follow(rows: &[(&Client, &str, &str, &str, String)]) {
    for (at, (client, method, path, body, expected)) in rows.iter().enumerate() {
        let said = match *method {
            "GET" | "DELETE" if body.is_empty() => client.send(method, path, "", "").unwrap(),
            _ => client.json(method, path, body),
        };
        assert_eq!(said.line(), *expected, "row {at}: {method} {path} {body}");
        assert_headers(&said);
    }
}

fn assert_headers(said: &Said) {
    assert!(!said.body.contains('\n'), "one line");
    assert_eq!(said.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(said.header("content-length"), Some(said.body.len().to_string().as_str()));
    if said.status != 503 && !said.body.contains("\"code\":") {
        assert_eq!(said.header("foreman_version"), Some("3.13.0"));
        assert_eq!(said.header("foreman_api_version"), Some("2"));
        assert_eq!(said.header("foreman_current_organization"), Some("; ANY"));
        assert_eq!(said.header("foreman_current_location"), Some("; ANY"));
    }
}

fn admin() -> Requester {
    Requester::User(UserName::new("admin").unwrap())
}

fn ask(stage: &Stage, name: &str, operation: Operation) -> Told {
    let which = Which::Named(LockName::new(name).unwrap());
    stage.runtime.block_on(stage.store.ask(Ask { which, requester: admin(), operation })).unwrap()
}

#[test]
fn semantics_of_hosts() {
    let stage = Stage::new();
    let (web1, web2, admin) = (&stage.host("web1"), &stage.host("web2"), &stage.user("admin", "admin"));
    let of = |id, own| held(id, "test", (1, "web1", own));
    let other = |own| held(1, "test", (1, "web1", own));
    let disabled = |host| lock(1, "test", false, "Update", host);
    let path = "/api/dlmlocks/test/lock";
    follow(&[
        // Missing: looking makes none, acquire makes and locks, release makes a free one.
        (web1, "GET", path, "", not_found("dlmlock", "test")),
        (web1, "PUT", path, "", format!("200 {}", of(1, ""))),
        (web1, "DELETE", "/api/dlmlocks/free/lock", "", format!("200 {}", free(2, "free"))),
        // Held and enabled.
        (web1, "GET", path, "", format!("200 {}", of(1, "true"))),
        (web2, "GET", path, "", format!("200 {}", other("false"))),
        (admin, "GET", path, "", format!("200 {}", other(""))),
        (web1, "PUT", path, "", format!("200 {}", of(1, ""))),
        (web2, "PUT", path, "", refused_for(1, 60)),
        (web2, "DELETE", path, "", refused(1)),
        (web1, "DELETE", path, "", format!("200 {}", free(1, "test"))),
        // Free and enabled.
        (web1, "DELETE", path, "", format!("200 {}", free(1, "test"))),
        (web2, "DELETE", path, "", format!("200 {}", free(1, "test"))),
        (web1, "GET", path, "", format!("200 {}", free(1, "test"))),
        (web1, "PUT", path, "", format!("200 {}", of(1, ""))),
        // Disabled, and held: not even its holder may release it.
        (admin, "PUT", "/api/dlmlocks/1", "{\"enabled\":false}", format!("200 {}", disabled(Some(WEB1)))),
        (web1, "DELETE", path, "", refused(1)),
        (web1, "PUT", path, "", refused_for(1, 60)),
        (web2, "PUT", path, "", refused_for(1, 60)),
        (web2, "DELETE", path, "", refused(1)),
        // A user takes it away; disabled and free.
        (admin, "PUT", "/api/dlmlocks/1", "{\"host_id\":null}", format!("200 {}", disabled(None))),
        (web1, "PUT", path, "", refused_for(1, 60)),
        (web1, "DELETE", path, "", refused(1)),
        (web1, "GET", path, "", format!("200 {}", disabled(None))),
    ]);
}

#[test]
fn what_disco_adds_to_a_refusal() {
    let stage = Stage::new();
    let (web1, web2) = (&stage.host("web1"), &stage.host("web2"));
    let policy = Policy {
        slots: Slots::Number(2),
        queue: Queue { order: disco_dlm::model::Order::Fair, poll: Seconds(7) },
        ..Policy::default()
    };
    web1.json("PUT", "/api/dlmlocks/test/lock", "");
    ask(&stage, "test", Operation::SetPolicy(policy));
    let both = "200 {\"id\":1,\"host_id\":2,\"name\":\"test\",\"enabled\":true,\"type\":\"ForemanDlm::Dlmlock::Update\",\
                \"created_at\":\"2026-11-22 07:43:39 UTC\",\"updated_at\":\"2026-11-22 07:43:39 UTC\",\
                \"host\":{\"name\":\"web2\"},\"hosts\":[{\"name\":\"web1\"},{\"name\":\"web2\"}]}";
    assert_eq!(web2.json("PUT", "/api/dlmlocks/test/lock", "").line(), both, "own id where I hold it");
    let name = HostName::new("web3").unwrap();
    stage.runtime.block_on(stage.store.put_host(&name, HostChange::default())).unwrap();
    let said = stage.host("web3").json("PUT", "/api/dlmlocks/test/lock", "");
    let expected =
        format!("412 {{\"error\":{{\"id\":1,\"message\":\"{REFUSED}\",\"retry_after\":7,\"position\":1}}}}");
    assert_eq!(said.line(), expected);
    assert_eq!(said.header("retry-after"), Some("7"));
}

#[test]
fn a_host_that_may_not_acquire_may_release() {
    let stage = Stage::new();
    let web1 = &stage.host("web1");
    follow(&[(web1, "PUT", "/api/dlmlocks/test/lock", "", format!("200 {}", held(1, "test", WEB1)))]);
    let no = HostChange { may_acquire: Some(false), ..HostChange::default() };
    stage.runtime.block_on(stage.store.put_host(&HostName::new("web1").unwrap(), no)).unwrap();
    let admin = &stage.user("admin", "admin");
    let events = "/api/dlmlocks/1/dlmlock_events?per_page=all";
    let before = admin.get(events).body;
    follow(&[(web1, "PUT", "/api/dlmlocks/test/lock", "", refused(1))]);
    assert_eq!(admin.get(events).body, before, "without an event");
    follow(&[(web1, "DELETE", "/api/dlmlocks/test/lock", "", format!("200 {}", free(1, "test")))]);
}

#[test]
fn paths_as_clients_send_them() {
    let stage = Stage::new();
    let web1 = &stage.host("web1");
    let long = "n".repeat(255);
    let ok = |id, name: &str| format!("200 {}", held(id, name, WEB1));
    let put = |path: &'static str, expected| (web1, "PUT", path, "", expected);
    follow(&[
        put("/api/dlmlocks/test/lock", ok(1, "test")),
        put("/api/v2/dlmlocks/test/lock", ok(1, "test")),
        put("/api/v1/dlmlocks/test/lock", ok(1, "test")),
        // The shipped FOREMAN_DLM_URL of updatelock ends with a slash, and it adds one.
        put("/api/dlmlocks//test/lock", ok(1, "test")),
        put("//api//v2//dlmlocks//test//lock/", ok(1, "test")),
        put("/api/dlmlocks/Test%20Lock/lock", ok(2, "Test Lock")),
        put("/api/dlmlocks/web.example.com/lock", ok(3, "web.example.com")),
        put("/api/dlmlocks/Test/lock", ok(4, "Test")),
        put("/api/dlmlocks/a%2Fb/lock", ok(5, "a/b")),
        put("/api/dlmlocks/%C3%A4/lock", ok(6, "ä")),
        put("/api/dlmlocks/v2/lock", ok(7, "v2")),
        // All digits: a number first, a name then. Anything else is a name, where Rails would find number 1.
        put("/api/dlmlocks/1/lock", ok(1, "test")),
        put("/api/dlmlocks/99/lock", ok(8, "99")),
        put("/api/dlmlocks/99/lock", ok(8, "99")),
        put("/api/dlmlocks/1abc/lock", ok(9, "1abc")),
        put("/api/dlmlocks/18446744073709551616/lock", ok(10, "18446744073709551616")),
        (web1, "PUT", &format!("/api/dlmlocks/{long}/lock"), "", ok(11, &long)),
        (
            web1,
            "PUT",
            &format!("/api/dlmlocks/{long}n/lock"),
            "",
            invalid(
                "null",
                "name",
                "is too long (maximum is 255 bytes)",
                "Name is too long (maximum is 255 bytes)",
            ),
        ),
        put("/api/dlmlocks/%20/lock", invalid("null", "name", "can't be blank", "Name can't be blank")),
        put("/api/dlmlocks/a%0Ab/lock", invalid("null", "name", "is invalid", "Name is invalid")),
        (web1, "GET", "/api/dlmlocks/%20/lock", "", not_found("dlmlock", " ")),
        (web1, "GET", "/api/dlmlocks/test", "", format!("200 {}", held(1, "test", (1, "web1", "true")))),
    ]);
    let nothing =
        "{\"error\":{\"code\":\"missing\",\"message\":\"There is nothing at this path.\",\"hint\":\"\"}}";
    let table = [
        ("POST", "/api/dlmlocks/test/lock"),
        ("PATCH", "/api/dlmlocks/test/lock"),
        ("GET", "/api/dlmlocks/a/b/lock"),
        ("GET", "/api/v3/dlmlocks"),
        ("PUT", "/api/dlmlocks/%FF/lock"),
        ("PUT", "/api/dlmlocks/%zz/lock"),
        ("GET", "/api"),
        ("GET", "/api/nonsense"),
        ("GET", "/nonsense"),
        ("GET", "/"),
    ];
    for (method, path) in table {
        assert_eq!(web1.json(method, path, "").line(), format!("404 {nothing}"), "{method} {path}");
    }
    let head = web1.send("HEAD", "/api/dlmlocks/test", "", "").unwrap();
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn who_is_not_known() {
    let stage = Stage::new();
    let (web1, anybody) = (&stage.host("web1"), &stage.client(None));
    let stranger = &stage.host("stranger");
    let (wrong, ghost) = (&stage.user("admin", "x"), &stage.user("gh\"ost", "x"));
    let upper = &stage.client(Some(&stage.ca.host("WEB1")));
    let bare = unauthorized("");
    follow(&[
        (anybody, "GET", "/api/dlmlocks/test/lock", "", bare.clone()),
        (anybody, "PUT", "/api/dlmlocks/test/lock", "", bare.clone()),
        (anybody, "DELETE", "/api/dlmlocks/test/lock", "", bare.clone()),
        (anybody, "GET", "/api/dlmlocks", "", bare.clone()),
        (anybody, "GET", "/api/hosts", "", bare.clone()),
        (stranger, "GET", "/api/dlmlocks/test/lock", "", bare.clone()),
        (stranger, "PUT", "/api/dlmlocks/test/lock", "", bare.clone()),
        (wrong, "PUT", "/api/dlmlocks/test/lock", "", unauthorized("admin")),
        (wrong, "GET", "/api/dlmlocks", "", unauthorized("admin")),
        (ghost, "GET", "/api/dlmlocks", "", unauthorized("gh\\\"ost")),
        // A certificate is for show, acquire and release alone.
        (web1, "GET", "/api/dlmlocks", "", bare.clone()),
        (web1, "POST", "/api/dlmlocks", "{\"name\":\"x\"}", bare.clone()),
        (web1, "PUT", "/api/dlmlocks/1", "{\"name\":\"x\"}", bare.clone()),
        (web1, "DELETE", "/api/dlmlocks/1", "", bare.clone()),
        (web1, "GET", "/api/dlmlocks/1/dlmlock_events", "", bare.clone()),
        (web1, "GET", "/api/hosts", "", bare.clone()),
        (web1, "GET", "/api/hosts/web1", "", bare),
        (upper, "PUT", "/api/dlmlocks/test/lock", "", format!("200 {}", held(1, "test", WEB1))),
    ]);
    let text = stage.log.text();
    assert!(text.contains(
        "host stranger has a good certificate and is not known; to add it: disco dlm host add stranger"
    ));
    assert!(text.contains("wrong login as \"admin\"") && !text.contains("YWRtaW46"), "{text}");
}

#[test]
fn a_certificate_and_a_login_together() {
    let stage = Stage::new();
    let login = stage.user("admin", "admin").authorization;
    let mut both = stage.host("web1");
    both.authorization = login.clone();
    let mut stranger = stage.host("stranger");
    stranger.authorization = login;
    follow(&[
        // The host wins where hosts may ask; elsewhere the login counts.
        (&both, "PUT", "/api/dlmlocks/test/lock", "", format!("200 {}", held(1, "test", WEB1))),
        (&both, "GET", "/api/dlmlocks/test", "", format!("200 {}", held(1, "test", (1, "web1", "true")))),
        (&both, "PUT", "/api/dlmlocks/1", "{\"host_id\":null}", format!("200 {}", free(1, "test"))),
        (&stranger, "GET", "/api/dlmlocks/test", "", format!("200 {}", free(1, "test"))),
        (&stranger, "PUT", "/api/dlmlocks/test/lock", "", NO_HOST.to_owned()),
    ]);
}

#[test]
fn what_users_may() {
    let stage = Stage::new();
    stage.host("web1").json("PUT", "/api/dlmlocks/test/lock", "");
    let viewer = &stage.user("viewer", "viewer");
    let nobody = &stage.user("nobody", "nobody");
    let locker = &stage.user("locker", "locker");
    follow(&[
        (nobody, "GET", "/api/dlmlocks", "", missing("view_dlmlocks")),
        (nobody, "GET", "/api/dlmlocks/test", "", missing("view_dlmlocks")),
        (nobody, "GET", "/api/dlmlocks/1/dlmlock_events", "", missing("view_dlmlock_events")),
        (nobody, "GET", "/api/hosts", "", missing("view_hosts")),
        (viewer, "GET", "/api/dlmlocks/test", "", format!("200 {}", held(1, "test", WEB1))),
        (viewer, "POST", "/api/dlmlocks", "{\"name\":\"x\"}", missing("create_dlmlocks")),
        (viewer, "PUT", "/api/dlmlocks/test", "{}", missing("edit_dlmlocks")),
        (viewer, "DELETE", "/api/dlmlocks/test", "", missing("destroy_dlmlocks")),
        (viewer, "PUT", "/api/dlmlocks/test/lock", "", missing("edit_dlmlocks")),
        (viewer, "DELETE", "/api/dlmlocks/test/lock", "", missing("edit_dlmlocks")),
        (viewer, "PUT", "/api/dlmlocks/nowhere", "{}", missing("edit_dlmlocks")),
        // Who may edit may not hold; the lock is made all the same.
        (locker, "PUT", "/api/dlmlocks/made/lock", "", NO_HOST.to_owned()),
        (locker, "DELETE", "/api/dlmlocks/made2/lock", "", NO_HOST.to_owned()),
        (locker, "GET", "/api/dlmlocks/made", "", format!("200 {}", free(2, "made"))),
        (locker, "GET", "/api/dlmlocks/made2", "", format!("200 {}", free(3, "made2"))),
        (locker, "GET", "/api/hosts", "", missing("view_hosts")),
    ]);
}

#[test]
fn create_update_destroy() {
    let stage = Stage::new();
    let admin = &stage.user("admin", "admin");
    let of = |status, text: String| format!("{status} {text}");
    let post = |body: &'static str, expected| (admin, "POST", "/api/dlmlocks", body, expected);
    let put = |body: &'static str, expected| (admin, "PUT", "/api/dlmlocks/2", body, expected);
    let blank = || invalid("null", "name", "can't be blank", "Name can't be blank");
    follow(&[
        post("{\"dlmlock\":{\"name\":\"a\"}}", of(201, lock(1, "a", true, "", None))),
        post(
            "{\"name\":\"b\",\"type\":\"ForemanDlm::Dlmlock::Update\",\"host_id\":\"1\",\"enabled\":\"false\",\"x\":1}",
            of(201, lock(2, "b", false, "Update", Some(WEB1))),
        ),
        post("{\"name\":7,\"type\":null,\"host_id\":null}", of(201, lock(3, "7", true, "", None))),
        post(
            "{\"name\":\"a\"}",
            invalid("null", "name", "has already been taken", "Name has already been taken"),
        ),
        post("{\"name\":\"A\"}", of(201, lock(4, "A", true, "", None))),
        post("{\"name\":\"\"}", blank()),
        post("{\"name\":null}", blank()),
        post("{}", blank()),
        post("", blank()),
        post("{\"dlmlock\":{},\"name\":\"c\"}", blank()),
        post("{\"name\":{}}", invalid("null", "name", "is invalid", "Name is invalid")),
        post(
            "{\"name\":\"c\",\"type\":\"Kernel\"}",
            invalid("null", "type", "is not included in the list", "Type is not included in the list"),
        ),
        post(
            "{\"name\":\"c\",\"enabled\":null}",
            invalid("null", "enabled", "is not included in the list", "Enabled is not included in the list"),
        ),
        post(
            "{\"type\":\"Kernel\",\"name\":\"\"}",
            String::from(
                "422 {\"error\":{\"id\":null,\"errors\":{\"name\":[\"can't be blank\"],\
                 \"type\":[\"is not included in the list\"]},\
                 \"full_messages\":[\"Name can't be blank\",\"Type is not included in the list\"]}}",
            ),
        ),
        post("{\"name\":\"c\",\"host_id\":99}", invalid("null", "host", "must exist", "Host must exist")),
        post(
            "{\"name\":\"c\",\"host_id\":\"web1\"}",
            invalid("null", "host", "must exist", "Host must exist"),
        ),
        // Update: by number and by name, what is not said stays.
        put("{\"dlmlock\":{\"enabled\":true}}", of(200, lock(2, "b", true, "Update", Some(WEB1)))),
        put("{\"type\":null,\"name\":\"bb\"}", of(200, lock(2, "bb", true, "", Some(WEB1)))),
        put("{\"host_id\":2}", of(200, lock(2, "bb", true, "", Some((2, "web2", ""))))),
        put("{\"host_id\":null}", of(200, lock(2, "bb", true, "", None))),
        put("{}", of(200, lock(2, "bb", true, "", None))),
        put("", of(200, lock(2, "bb", true, "", None))),
        put(
            "{\"name\":\"a\"}",
            invalid("2", "name", "has already been taken", "Name has already been taken"),
        ),
        put("{\"name\":\"\"}", invalid("2", "name", "can't be blank", "Name can't be blank")),
        put("{\"host_id\":99}", invalid("2", "host", "must exist", "Host must exist")),
        (admin, "PATCH", "/api/dlmlocks/bb", "{\"enabled\":false}", of(200, lock(2, "bb", false, "", None))),
        (admin, "PUT", "/api/dlmlocks/none", "{\"name\":\"\"}", not_found("dlmlock", "none")),
        (admin, "PUT", "/api/dlmlocks/99", "{}", not_found("dlmlock", "99")),
        (
            admin,
            "DELETE",
            "/api/dlmlocks/bb",
            "",
            String::from(
                "200 {\"id\":2,\"name\":\"bb\",\"enabled\":false,\"host_id\":null,\
                 \"created_at\":\"2026-11-22T07:43:39.000Z\",\"updated_at\":\"2026-11-22T07:43:39.000Z\"}",
            ),
        ),
        (admin, "DELETE", "/api/dlmlocks/bb", "", not_found("dlmlock", "bb")),
        (admin, "GET", "/api/dlmlocks/2", "", not_found("dlmlock", "2")),
    ]);
}

#[test]
fn media_types_and_what_is_looked_at_first() {
    let stage = Stage::new();
    let (web1, admin) = (stage.host("web1"), stage.user("admin", "admin"));
    let (anybody, viewer) = (stage.client(None), stage.user("viewer", "viewer"));
    let table = [
        // On …/lock before it is looked at who asks.
        (&web1, "PUT", "/api/dlmlocks/test/lock", "", media("")),
        (&anybody, "PUT", "/api/dlmlocks/test/lock", "", media("")),
        (&anybody, "PUT", "/api/dlmlocks/test/lock", "text/plain", media("text/plain")),
        (&web1, "PUT", "/api/dlmlocks/test/lock", "application/json; charset=utf-8", String::from("200")),
        (&web1, "PUT", "/api/dlmlocks/test/lock", "APPLICATION/JSON", String::from("200")),
        // Not asked for by DELETE and GET.
        (&web1, "DELETE", "/api/dlmlocks/test/lock", "", String::from("200")),
        (&web1, "GET", "/api/dlmlocks/test/lock", "text/plain", String::from("200")),
        // Elsewhere after the login and the permission, and before the lock.
        (&anybody, "POST", "/api/dlmlocks", "", unauthorized("")),
        (&anybody, "PUT", "/api/dlmlocks/test", "", unauthorized("")),
        (&viewer, "PUT", "/api/dlmlocks/test", "", missing("edit_dlmlocks")),
        (&admin, "POST", "/api/dlmlocks", "", media("")),
        (
            &admin,
            "POST",
            "/api/dlmlocks",
            "application/x-www-form-urlencoded",
            media("application/x-www-form-urlencoded"),
        ),
        (&admin, "PUT", "/api/dlmlocks/none", "application/jsonx", media("application/jsonx")),
        (&admin, "PATCH", "/api/dlmlocks/none", "", media("")),
    ];
    for (client, method, path, media, expected) in table {
        let header = if media.is_empty() { String::new() } else { format!("Content-Type: {media}\r\n") };
        let said = client.send(method, path, &header, "").unwrap();
        assert!(said.line().starts_with(&expected), "{method} {path} {media:?}: {}", said.line());
    }
}

#[test]
fn bodies_that_are_no_json() {
    let stage = Stage::new();
    let admin = &stage.user("admin", "admin");
    let deep = "[".repeat(1000);
    for body in ["{", "{\"name\":}", "\u{0}", "name=x", "[]", "3", "null", "{\"dlmlock\":3}", &deep] {
        let said = admin.json("POST", "/api/dlmlocks", body);
        let start = "400 {\"status\":400,\"error\":\"There was a problem in the JSON you submitted: ";
        assert!(said.line().starts_with(start), "{body:.20}: {}", said.line());
    }
}

fn envelope(
    total: u64,
    page: u64,
    per_page: u64,
    search: &str,
    sort: [&str; 2],
    results: &[String],
) -> String {
    format!(
        "200 {{\"total\":{total},\"subtotal\":{total},\"page\":{page},\"per_page\":{per_page},\"search\":{search},\
         \"sort\":{{\"by\":{},\"order\":{}}},\"results\":[{}]}}",
        sort[0],
        sort[1],
        results.join(",")
    )
}

#[test]
fn lists_of_locks() {
    let stage = Stage::new();
    let (web1, viewer) = (stage.host("web1"), &stage.user("viewer", "viewer"));
    for n in (1..=25).rev() {
        web1.json("PUT", &format!("/api/dlmlocks/l{n:02}/lock"), "");
    }
    web1.json("DELETE", "/api/dlmlocks/l03/lock", "");
    let said = |n: u64| held(26 - n, &format!("l{n:02}"), WEB1);
    let all: Vec<String> = (1..=25).map(|n| if n == 3 { free(23, "l03") } else { said(n) }).collect();
    let null = ["null", "null"];
    let bad = |message: &str| {
        format!(
            "400 {{\"error\":{{\"message\":\"{message}\",\"class\":\"ScopedSearch::QueryNotSupported\"}}}}"
        )
    };
    let number = |name: &str| {
        format!(
            "400 {{\"error\":{{\"message\":\"{name} must be a number from 1 on, or all for per_page\"}}}}"
        )
    };
    let get = |path: &'static str, expected| (viewer, "GET", path, "", expected);
    follow(&[
        get("/api/dlmlocks", envelope(25, 1, 20, "\"\"", null, &all[..20])),
        get("/api/dlmlocks?page=2", envelope(25, 2, 20, "\"\"", null, &all[20..])),
        get("/api/dlmlocks?page=3", envelope(25, 3, 20, "\"\"", null, &[])),
        get("/api/dlmlocks?page=&per_page=", envelope(25, 1, 20, "\"\"", null, &all[..20])),
        get("/api/dlmlocks?per_page=all", envelope(25, 1, 25, "\"\"", null, &all)),
        get("/api/dlmlocks?per_page=2&page=2", envelope(25, 2, 2, "\"\"", null, &all[2..4])),
        get("/api/dlmlocks?search=name+%3D+l02", envelope(1, 1, 20, "\"name = l02\"", null, &all[1..2])),
        get("/api/dlmlocks?search=null%3F%20host", envelope(1, 1, 20, "\"null? host\"", null, &all[2..3])),
        get(
            "/api/dlmlocks?search=host=web1&per_page=1",
            envelope(24, 1, 1, "\"host=web1\"", null, &all[..1]),
        ),
        get("/api/dlmlocks?search=", envelope(25, 1, 20, "\"\"", null, &all[..20])),
        get(
            "/api/dlmlocks?order=name+DESC&per_page=1",
            envelope(25, 1, 1, "\"\"", ["\"name\"", "\"DESC\""], &all[24..]),
        ),
        get(
            "/api/dlmlocks?order=name&per_page=1",
            envelope(25, 1, 1, "\"\"", ["\"name\"", "\"ASC\""], &all[..1]),
        ),
        get(
            "/api/dlmlocks?order=host&per_page=1",
            envelope(25, 1, 1, "\"\"", ["\"host\"", "\"ASC\""], &all[2..3]),
        ),
        get("/api/dlmlocks?x=1&organization_id=1&per_page=1", envelope(25, 1, 1, "\"\"", null, &all[..1])),
        get("/api/dlmlocks?search=x+%3D+1", bad("Field 'x' not recognized for searching!")),
        get("/api/dlmlocks?search=name+%3D", bad("Value expected but found the end")),
        get(
            "/api/dlmlocks?order=x",
            bad("the field 'x' in the order statement is not valid field for search"),
        ),
        get("/api/dlmlocks?page=0", number("page")),
        get("/api/dlmlocks?page=-1", number("page")),
        get("/api/dlmlocks?per_page=0", number("per_page")),
        get("/api/dlmlocks?per_page=x", number("per_page")),
    ]);
}

#[test]
fn events_in_foremans_types_and_keys() {
    let stage = Stage::new();
    let (web1, web2, admin) = (&stage.host("web1"), &stage.host("web2"), &stage.user("admin", "admin"));
    let lock = "/api/dlmlocks/test/lock";
    // Each with what Foreman logs for it; renewing and releasing what is free log nothing.
    web1.json("PUT", lock, "");
    web1.json("PUT", lock, "");
    web2.json("PUT", lock, "");
    web1.json("DELETE", lock, "");
    web1.json("DELETE", lock, "");
    admin.json("PUT", "/api/dlmlocks/test", "{\"enabled\":false}");
    admin.json("PUT", "/api/dlmlocks/test", "{\"enabled\":true,\"host_id\":2}");
    admin.json("PUT", "/api/dlmlocks/test", "{\"host_id\":null}");
    let kinds = ["acquire", "fail", "release", "disable", "enable", "acquire", "release"];
    let said: Vec<String> = (2..)
        .zip(kinds)
        .map(|(id, kind)| {
            format!("{{\"id\":{id},\"event_type\":\"{kind}\",\"created_at\":\"{T}\",\"updated_at\":\"{T}\"}}")
        })
        .collect();
    let null = ["null", "null"];
    let path = "/api/dlmlocks/1/dlmlock_events";
    follow(&[
        (admin, "GET", path, "", envelope(7, 1, 20, "null", null, &said)),
        (
            admin,
            "GET",
            "/api/v2/dlmlocks/1/dlmlock_events?per_page=3&page=2",
            "",
            envelope(7, 2, 3, "null", null, &said[3..6]),
        ),
        (
            admin,
            "GET",
            "/api/dlmlocks/1/dlmlock_events?per_page=all",
            "",
            envelope(7, 1, 7, "null", null, &said),
        ),
        // Nested, the id is the number alone.
        (admin, "GET", "/api/dlmlocks/test/dlmlock_events", "", not_found("dlmlock", "test")),
        (admin, "GET", "/api/dlmlocks/9/dlmlock_events", "", not_found("dlmlock", "9")),
    ]);
    assert_eq!(admin.get(&format!("{path}?search=event_type=fail")).status, 400, "not everything");
    assert_eq!(admin.get(&format!("{path}?order=id")).status, 400);
}

#[test]
fn hosts_and_their_check_ins() {
    let stage = Stage::new();
    let (web1, admin) = (&stage.host("web1"), &stage.user("admin", "admin"));
    let host = |id: u64, name: &str, seen: bool| {
        let facet = format!("{{\"id\":{id},\"last_checkin_at\":\"{T}\"}}");
        format!(
            "{{\"id\":{id},\"name\":\"{name}\",\"certname\":\"{name}\",\"created_at\":\"{T}\",\
             \"dlm_facet_attributes\":{}}}",
            if seen { &facet } else { "null" }
        )
    };
    let null = ["null", "null"];
    follow(&[
        (
            admin,
            "GET",
            "/api/hosts",
            "",
            envelope(2, 1, 20, "null", null, &[host(1, "web1", false), host(2, "web2", false)]),
        ),
        // A check-in, also where there is no such lock.
        (web1, "GET", "/api/dlmlocks/none/lock", "", not_found("dlmlock", "none")),
        (admin, "GET", "/api/hosts/web1", "", format!("200 {}", host(1, "web1", true))),
        (admin, "GET", "/api/hosts/1", "", format!("200 {}", host(1, "web1", true))),
        (admin, "GET", "/api/hosts/WEB2", "", format!("200 {}", host(2, "web2", false))),
        (admin, "GET", "/api/hosts/3", "", not_found("host", "3")),
        (
            admin,
            "GET",
            "/api/hosts?per_page=1&page=2",
            "",
            envelope(2, 2, 1, "null", null, &[host(2, "web2", false)]),
        ),
    ]);
    assert_eq!(admin.get("/api/hosts?search=name=web1").status, 400, "not everything");
    for (method, expected) in [("PUT", 200), ("DELETE", 200), ("PUT", 200)] {
        stage.store.set_now(disco_dlm::model::Time::new(now().seconds() + i64::from(expected), 0));
        let web2 = stage.host("web2");
        assert_eq!(web2.json(method, "/api/dlmlocks/test/lock", "").status, expected);
        let at = stage.runtime.block_on(stage.store.host(&HostName::new("web2").unwrap())).unwrap().unwrap();
        assert_eq!(at.last_checkin.map(|at| at.seconds()), Some(now().seconds() + i64::from(expected)));
    }
}

#[test]
fn hosts_are_added_by_their_certificates_where_that_is_set() {
    let stage = Stage::with(|_, set, _| set.auto_create = true);
    let said = stage.host("new.example.com").json("PUT", "/api/dlmlocks/test/lock", "");
    assert_eq!(said.line(), format!("200 {}", held(1, "test", (3, "new.example.com", ""))));
    assert!(stage.log.text().contains("host new.example.com is new, and was added by its certificate"));
}

#[test]
fn a_grant_that_has_lapsed_is_not_shown() {
    let stage = Stage::new();
    let (web1, web2) = (&stage.host("web1"), &stage.host("web2"));
    web1.json("PUT", "/api/dlmlocks/test/lock", "");
    let told = ask(
        &stage,
        "test",
        Operation::SetPolicy(Policy { expires_after: Some(Seconds(90)), ..Policy::default() }),
    );
    let holder: Vec<Holder> = told.after.unwrap().holders;
    assert_eq!(holder.len(), 1);
    stage.store.set_now(now().after(Seconds(60)));
    let said = web2.json("PUT", "/api/dlmlocks/test/lock", "");
    assert_eq!(said.line(), refused_for(1, 30), "when it is worth asking again");
    assert_eq!(said.header("retry-after"), Some("30"));
    stage.store.set_now(now().after(Seconds(90)));
    let said = web1.get("/api/dlmlocks/test");
    assert!(said.body.contains("\"host\":null"), "{}", said.line());
}
