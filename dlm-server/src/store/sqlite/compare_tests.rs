//! The same random work on this store and on the one in memory: all that is answered and listed is the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use disco_dlm::model::{
    HostName, Kind, LockId, LockName, Policy, Requester, Seconds, Slots, Time, Token, UserName,
};
use disco_dlm::rules::{NewHolder, NotHeld, Operation, Outcome};
use proptest::collection::{btree_set, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::search::{Comparison, Field, OrderField};
use crate::store::memory::MemoryStore;

const HOSTS: [&str; 5] = ["a.example", "b.example", "B.example", "ä", "it's"];
const LOCKS: [&str; 6] = ["web", "Web", "7", "a/b", "100%", "w'eb"];
const GROUPS: [&str; 3] = ["web", "7", "other"];

#[derive(Debug, Clone)]
enum Step {
    Ask(Ask),
    PutHost(HostName, HostChange),
    RemoveHost(HostName),
    CheckIn(HostName),
    Later(i64),
    Sweep(i64),
    PutUser(UserName, bool),
    RemoveUser(UserName),
    /// Closed and opened again.
    Reopen,
}

fn host() -> impl Strategy<Value = HostName> {
    select(&HOSTS[..]).prop_map(|name| HostName::new(name).unwrap())
}

fn lock_name() -> impl Strategy<Value = LockName> {
    select(&LOCKS[..]).prop_map(|name| LockName::new(name).unwrap())
}

fn login() -> impl Strategy<Value = UserName> {
    select(vec!["admin", "Admin", "eve"]).prop_map(|name| UserName::new(name).unwrap())
}

fn which() -> impl Strategy<Value = Which> {
    let id = prop_oneof![8 => 0u64..8, 1 => Just(u64::MAX), 1 => Just(i64::MAX as u64 + 1)].prop_map(LockId);
    prop_oneof![
        6 => lock_name().prop_map(Which::Named),
        1 => id.clone().prop_map(Which::Numbered),
        1 => (id, lock_name()).prop_map(|(id, name)| Which::NumberedOrNamed(id, name)),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    (0u32..4, 1u32..101, any::<bool>(), of(1u64..100), any::<bool>()).prop_map(
        |(slots, share, percent, expires, fair)| {
            let slots = if percent {
                Slots::Percent(disco_dlm::model::Percent::try_from(share).unwrap())
            } else {
                Slots::Number(slots)
            };
            let mut policy = Policy { slots, expires_after: expires.map(Seconds), ..Policy::default() };
            policy.queue.order =
                if fair { disco_dlm::model::Order::Fair } else { disco_dlm::model::Order::None };
            policy
        },
    )
}

fn by_host() -> impl Strategy<Value = Operation> {
    let release =
        (of((0u64..9).prop_map(Token)), any::<bool>(), any::<bool>()).prop_map(|(token, failed, accept)| {
            Operation::Release {
                outcome: if failed { Outcome::Failed(String::from("exit 1")) } else { Outcome::Ok },
                token: token.filter(|_| failed),
                not_held: if accept { NotHeld::Accept } else { NotHeld::Refuse },
            }
        });
    prop_oneof![
        6 => select(vec!["", "update"]).prop_map(|note| Operation::Acquire { note: note.to_owned() }),
        3 => release,
        1 => Just(Operation::Show),
    ]
}

fn by_user() -> impl Strategy<Value = Operation> {
    let kind = || select(vec![Kind::Generic, Kind::Update]);
    let holder =
        prop_oneof![Just(NewHolder::Same), Just(NewHolder::Nobody), host().prop_map(NewHolder::Host)];
    prop_oneof![
        (kind(), any::<bool>(), of(host())).prop_map(|(kind, enabled, holder)| Operation::Create {
            kind,
            enabled,
            holder
        }),
        (of(lock_name()), of(kind()), holder, of(any::<bool>()))
            .prop_map(|(name, kind, holder, enabled)| Operation::Update { name, kind, holder, enabled }),
        Just(Operation::Delete),
        of(host()).prop_map(|host| Operation::ForceRelease { host, reason: String::from("gone") }),
        Just(Operation::Enable),
        Just(Operation::Enable),
        Just(Operation::Disable),
        policy().prop_map(Operation::SetPolicy),
        policy().prop_map(Operation::SetPolicy),
        Just(Operation::Thaw { reason: String::new() }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let asked = |which, requester, operation| Step::Ask(Ask { which, requester, operation });
    let change = (of(btree_set(select(&GROUPS[..]).prop_map(str::to_owned), 0..3)), of(any::<bool>()))
        .prop_map(|(groups, may_acquire)| HostChange { groups, may_acquire });
    prop_oneof![
        12 => (which(), host(), by_host()).prop_map(move |(which, host, operation)| {
            asked(which, Requester::Host(host), operation)
        }),
        6 => (which(), login(), by_user()).prop_map(move |(which, login, operation)| {
            asked(which, Requester::User(login), operation)
        }),
        2 => (host(), change).prop_map(|(host, change)| Step::PutHost(host, change)),
        1 => host().prop_map(Step::RemoveHost),
        2 => host().prop_map(Step::CheckIn),
        3 => (0i64..80).prop_map(Step::Later),
        1 => (0i64..200).prop_map(Step::Sweep),
        1 => (login(), any::<bool>()).prop_map(|(login, admin)| Step::PutUser(login, admin)),
        1 => login().prop_map(Step::RemoveUser),
        1 => Just(Step::Reopen),
    ]
}

pub(super) fn filter() -> impl Strategy<Value = Filter> {
    let field = || select(vec![Field::Name, Field::Host, Field::Type, Field::Enabled]);
    let comparison = select(vec![
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Like,
        Comparison::Unlike,
        Comparison::In,
        Comparison::NotIn,
    ]);
    let value = prop_oneof![
        4 => select(vec!["web", "Web", "a.example", "7", "true", "false", "ForemanDlm::Dlmlock::Update", "web, 7 ,ä", "e", "W*b",
            "%", "'", "", "B.EX*"]).prop_map(str::to_owned),
        1 => "[a-z*%,' \\\\\"?ä\u{0}]{0,8}",
    ];
    let leaf = prop_oneof![
        1 => Just(Filter::All),
        1 => field().prop_map(Filter::Has),
        6 => (field(), comparison, value).prop_map(|(field, how, value)| Filter::Compare(field, how, value)),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Filter::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Filter::Or(Box::new(a), Box::new(b))),
            inner.prop_map(|a| Filter::Not(Box::new(a))),
        ]
    })
}

fn order() -> impl Strategy<Value = Order> {
    let by = select(vec![
        OrderField::Name,
        OrderField::Host,
        OrderField::Type,
        OrderField::Enabled,
        OrderField::Id,
        OrderField::Created,
        OrderField::Updated,
    ]);
    (by, any::<bool>()).prop_map(|(by, descending)| Order { by, descending })
}

/// What is compared of a list of events: their numbers alone may differ where some are gone.
fn told(page: &Page<Logged>) -> Vec<(String, String)> {
    page.items.iter().map(|logged| (logged.lock.to_string(), format!("{:?}", logged.event))).collect()
}

struct Both {
    memory: MemoryStore,
    sqlite: Option<SqliteStore>,
    hand: Arc<AtomicI64>,
    folder: tempfile::TempDir,
    /// Hosts whose events are gone here; the one in memory keeps them.
    events_differ: bool,
}

impl Both {
    fn new() -> Both {
        let hand = Arc::new(AtomicI64::new(1000));
        let mut both = Both {
            memory: MemoryStore::at(Time::new(1000, 5)),
            sqlite: None,
            hand,
            folder: tempfile::tempdir().unwrap(),
            events_differ: false,
        };
        both.open();
        both
    }

    fn open(&mut self) {
        self.sqlite = None;
        let hand = self.hand.clone();
        let clock = Clock::over(move || Time::new(hand.load(Ordering::SeqCst), 5));
        self.sqlite = Some(SqliteStore::with(&self.folder.path().join("locks.db"), clock).unwrap());
    }

    fn sqlite(&self) -> &SqliteStore {
        self.sqlite.as_ref().unwrap()
    }

    async fn step(&mut self, step: Step) {
        let now = self.hand.load(Ordering::SeqCst);
        match step {
            Step::Ask(ask) => {
                let (ours, model) =
                    (self.sqlite().ask(ask.clone()).await.unwrap(), self.memory.ask(ask).await.unwrap());
                assert_eq!(ours, model);
            }
            Step::PutHost(host, change) => {
                let ours = self.sqlite().put_host(&host, change.clone()).await.unwrap();
                assert_eq!(ours, self.memory.put_host(&host, change).await.unwrap());
            }
            Step::RemoveHost(host) => {
                let by = Requester::User(UserName::new("admin").unwrap());
                let ours = self.sqlite().remove_host(&host, &by).await.unwrap();
                assert_eq!(ours, self.memory.remove_host(&host, &by).await.unwrap());
                let left =
                    self.sqlite().events(None, EventQuery::Newest(Paging { page: 1, per_page: None })).await;
                assert!(left.unwrap().items.iter().all(|logged| logged.event.host.as_ref() != Some(&host)));
                self.events_differ = true;
            }
            Step::CheckIn(host) => {
                self.sqlite().check_in(&host).await.unwrap();
                self.memory.check_in(&host).await.unwrap();
            }
            Step::Later(seconds) => {
                self.hand.store(now + seconds, Ordering::SeqCst);
                self.memory.set_now(Time::new(now + seconds, 5));
            }
            Step::Sweep(ago) => {
                let before = Time::new(now - ago, 5);
                let ours = self.sqlite().sweep(before).await.unwrap();
                let model = self.memory.sweep(before).await.unwrap();
                assert!(ours == model || self.events_differ, "{ours} and {model} events went");
            }
            Step::PutUser(login, admin) => {
                let user = User { login, password: None, admin, roles: BTreeSet::new(), tokens: vec![] };
                self.sqlite().put_user(&user).await.unwrap();
                self.memory.put_user(&user).await.unwrap();
            }
            Step::RemoveUser(login) => {
                let ours = self.sqlite().remove_user(&login).await.unwrap();
                assert_eq!(ours, self.memory.remove_user(&login).await.unwrap());
            }
            Step::Reopen => self.open(),
        }
    }

    async fn compare(&self, filter: &Filter, order: Order, paging: Paging) {
        let (ours, model) = (self.sqlite(), &self.memory);
        let listed = ours.locks(filter, order, paging).await.unwrap();
        assert_eq!(
            listed,
            model.locks(filter, order, paging).await.unwrap(),
            "{filter:?} {order:?} {paging:?}"
        );
        let all = Paging { page: 1, per_page: None };
        assert_eq!(
            ours.locks(&Filter::All, Order::default(), all).await.unwrap(),
            model.locks(&Filter::All, Order::default(), all).await.unwrap()
        );
        assert_eq!(ours.hosts(all).await.unwrap(), model.hosts(all).await.unwrap());
        assert_eq!(ours.hosts(paging).await.unwrap(), model.hosts(paging).await.unwrap());
        assert_eq!(ours.users().await.unwrap(), model.users().await.unwrap());
        let names: Vec<HostName> = HOSTS.iter().map(|name| HostName::new(*name).unwrap()).collect();
        assert_eq!(ours.host_ids(&names).await.unwrap(), model.host_ids(&names).await.unwrap());
        for name in &names {
            assert_eq!(ours.host(name).await.unwrap(), model.host(name).await.unwrap());
        }
        for id in [0, 1, 2, u64::MAX].map(HostId) {
            assert_eq!(ours.host_of(id).await.unwrap(), model.host_of(id).await.unwrap());
        }
        if self.events_differ {
            return;
        }
        for of in [None, Some(LockId(1)), Some(LockId(2)), Some(LockId(u64::MAX))] {
            for query in [EventQuery::Newest(all), EventQuery::Newest(paging)] {
                let listed = ours.events(of, query.clone()).await.unwrap();
                let known = model.events(of, query).await.unwrap();
                assert_eq!(told(&listed), told(&known));
                assert_eq!(listed.total, known.total);
            }
        }
        let everything = ours.events(None, EventQuery::Newest(all)).await.unwrap().items;
        assert!(
            everything.windows(2).all(|pair| pair[0].id > pair[1].id && pair[0].event.at >= pair[1].event.at)
        );
        for after in everything.iter().map(|logged| logged.id).step_by(5).chain([0]) {
            let later = ours.events(None, EventQuery::After(after, 3)).await.unwrap();
            let known: Vec<Logged> =
                everything.iter().rev().filter(|logged| logged.id > after).cloned().collect();
            assert_eq!(later.total as usize, known.len());
            assert_eq!(later.items, known[..known.len().min(3)]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_the_one_in_memory_does(
        steps in vec(step(), 1..60),
        lists in vec((filter(), order(), 0u64..4, 0u64..5), 6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut both = Both::new();
            for step in steps {
                both.step(step).await;
            }
            for (filter, order, page, per_page) in lists {
                both.compare(&filter, order, Paging { page, per_page: Some(per_page) }).await;
            }
        });
    }
}
