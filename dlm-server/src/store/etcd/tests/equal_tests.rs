//! Whatever is asked, in any order, the store in etcd answers and keeps what the one in memory does; two servers on it see the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use disco_dlm::model::{Kind, Lock, LockId, LockName, Policy, Queue, Requester, Seconds, Slots, Time, Token};
use disco_dlm::rules::{Answer, NewHolder, NotHeld, Operation, Outcome};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};

use super::cluster_tests::Cluster;
use super::{HandClock, admin, host, lock};
use crate::access::HostChange;
use crate::search::{Filter, Order};
use crate::store::etcd::EtcdStore;
use crate::store::memory::MemoryStore;
use crate::store::{Ask, EventQuery, Logged, Paging, Store, Told, Which};

/// How many histories; each is of 30 to 80 steps.
const CASES: u32 = 16;

/// Something that happens.
#[derive(Debug, Clone)]
enum Step {
    Ask(Ask),
    /// Hosts that ask of one lock at the same time: they are decided together, in this order.
    Together(Vec<Ask>),
    Pass(u64),
    PutHost(&'static str, HostChange),
    RemoveHost(&'static str),
    CheckIn(&'static str),
    Sweep(u64),
}

const HOSTS: [&str; 5] = ["a", "b", "c/1", "d", "ö"];
// The last one is also a number that a lock may have.
const LOCKS: [&str; 4] = ["web", "d b", "x/y", "3"];

fn any_which() -> impl Strategy<Value = Which> {
    prop_oneof![
        8 => select(&LOCKS[..]).prop_map(|name| Which::Named(lock(name))),
        2 => (1u64..5).prop_map(|id| Which::Numbered(LockId(id))),
        2 => (1u64..5).prop_map(|id| Which::NumberedOrNamed(LockId(id), lock(&id.to_string()))),
    ]
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let slots = prop_oneof![
        3 => (0u32..4).prop_map(Slots::Number),
        1 => (1u32..=100).prop_map(|share| Slots::Percent(share.try_into().unwrap())),
    ];
    let order = select(vec![disco_dlm::model::Order::None, disco_dlm::model::Order::Fair]);
    (
        slots,
        proptest::option::of(1u64..60),
        proptest::option::of(1u64..20),
        proptest::option::of(1u32..3),
        order,
    )
        .prop_map(|(slots, expires, gap, freeze, order)| Policy {
            slots,
            expires_after: expires.map(Seconds),
            gap: gap.map(Seconds),
            freeze_after: freeze.and_then(std::num::NonZeroU32::new),
            queue: Queue { order, poll: Seconds(10) },
            ..Policy::default()
        })
}

fn any_operation() -> impl Strategy<Value = (Requester, Operation)> {
    let a_host = || select(&HOSTS[..]).prop_map(host);
    let outcome = prop_oneof![3 => Just(Outcome::Ok), 1 => Just(Outcome::Failed("exit 1".into()))];
    // Tokens are said by their place among all that were given: 5 is the fifth.
    let release = (outcome, proptest::option::weighted(0.2, 1u64..9), any::<bool>()).prop_map(
        |(outcome, token, accept)| Operation::Release {
            outcome,
            token: token.map(Token),
            not_held: if accept { NotHeld::Accept } else { NotHeld::Refuse },
        },
    );
    let by_host = prop_oneof![
        6 => Just(Operation::Acquire { note: "n".into() }),
        4 => release,
        1 => Just(Operation::Show),
        1 => Just(Operation::Enable),
    ];
    let holder =
        prop_oneof![Just(NewHolder::Same), Just(NewHolder::Nobody), a_host().prop_map(NewHolder::Host)];
    let name = proptest::option::of(select(&LOCKS[..]).prop_map(lock));
    let by_user = prop_oneof![
        1 => proptest::option::of(a_host()).prop_map(|holder| Operation::Create { kind: Kind::Generic, enabled: true, holder }),
        3 => (name, holder).prop_map(|(name, holder)| Operation::Update { name, kind: None, holder, enabled: None }),
        2 => Just(Operation::Delete),
        1 => proptest::option::of(a_host()).prop_map(|host| Operation::ForceRelease { host, reason: "gone".into() }),
        2 => Just(Operation::Enable),
        1 => Just(Operation::Disable),
        4 => any_policy().prop_map(Operation::SetPolicy),
        1 => Just(Operation::Thaw { reason: "mended".into() }),
        1 => Just(Operation::Show),
        1 => Just(Operation::Acquire { note: String::new() }),
    ];
    prop_oneof![
        3 => (a_host().prop_map(Requester::Host), by_host),
        2 => by_user.prop_map(|operation| (admin(), operation)),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let change =
        (proptest::option::of(vec(select(&LOCKS[..]), 0..3)), proptest::option::weighted(0.2, any::<bool>()));
    let change = change.prop_map(|(groups, may_acquire)| HostChange {
        groups: groups.map(|groups| groups.into_iter().map(str::to_owned).collect()),
        may_acquire,
    });
    prop_oneof![
        20 => (any_which(), any_operation())
            .prop_map(|(which, (requester, operation))| Step::Ask(Ask { which, requester, operation })),
        4 => (select(&LOCKS[..]), vec(select(&HOSTS[..]), 2..6), any::<u8>())
            .prop_map(|(name, hosts, releases)| Step::Together(crowd(name, &hosts, releases))),
        6 => (1u64..30).prop_map(Step::Pass),
        3 => (select(&HOSTS[..]), change).prop_map(|(host, change)| Step::PutHost(host, change)),
        1 => select(&HOSTS[..]).prop_map(Step::RemoveHost),
        1 => select(&HOSTS[..]).prop_map(Step::CheckIn),
        1 => (0u64..200).prop_map(Step::Sweep),
    ]
}

/// Acquires of these hosts, and releases where there is a bit.
fn crowd(name: &str, hosts: &[&str], releases: u8) -> Vec<Ask> {
    let one = |(at, host): (usize, &&str)| match releases >> at & 1 {
        0 => super::acquire(name, host),
        _ => super::release(name, host),
    };
    hosts.iter().enumerate().map(one).collect()
}

/// Tokens by their place among all that a store has given: the stores' own numbers differ. Of two locks they may be the same.
#[derive(Default)]
struct Tokens {
    places: BTreeMap<(LockId, Token), u64>,
    last: BTreeMap<LockName, Token>,
}

impl Tokens {
    fn place(&self, of: LockId, token: Token) -> Token {
        Token(self.places.get(&(of, token)).copied().unwrap_or(u64::MAX))
    }

    /// Notes the token of a grant, which must be larger than all before it of this lock, and of others that had its name.
    fn note(&mut self, lock: &Lock) {
        let token = lock.last_token;
        if token != Token(0) && !self.places.contains_key(&(lock.id, token)) {
            let before = self.places.range((lock.id, Token(0))..=(lock.id, Token(u64::MAX)));
            let before = before.last().map(|((_, token), _)| *token).max(self.last.get(&lock.name).copied());
            assert!(before.is_none_or(|last| last < token), "{}: {token:?} after {before:?}", lock.name);
            self.places.insert((lock.id, token), self.places.len() as u64 + 1);
            self.last.insert(lock.name.clone(), token);
        }
    }

    /// The token of this place in this store, for a request.
    fn at(&self, place: Token) -> Token {
        self.places.iter().find(|(_, at)| **at == place.0).map_or(Token(u64::MAX), |((_, token), _)| *token)
    }

    fn lock(&self, lock: &Lock) -> Lock {
        let mut lock = lock.clone();
        let id = lock.id;
        let place = |token: Token| if token == Token(0) { token } else { self.place(id, token) };
        lock.holders.iter_mut().for_each(|holder| holder.token = place(holder.token));
        lock.failures.iter_mut().for_each(|failure| failure.token = place(failure.token));
        lock.last_token = place(lock.last_token);
        lock
    }

    fn told(&mut self, told: Told) -> Told {
        told.after.iter().for_each(|lock| self.note(lock));
        let id = told.after.as_ref().or(told.before.as_ref()).map_or(LockId(0), |lock| lock.id);
        let answer = match told.answer {
            Answer::Granted { token, grant } => Answer::Granted { token: self.place(id, token), grant },
            Answer::Refused(mut refusal) => {
                if let disco_dlm::rules::Reason::OtherGrant(token) = refusal.reason {
                    refusal.reason = disco_dlm::rules::Reason::OtherGrant(self.place(id, token));
                }
                Answer::Refused(refusal)
            }
            other => other,
        };
        Told {
            answer,
            before: told.before.map(|lock| self.lock(&lock)),
            after: told.after.map(|lock| self.lock(&lock)),
            ..told
        }
    }
}

/// A store, with what makes it comparable.
struct Side<'a> {
    stores: Vec<&'a dyn Store>,
    /// Those of them that can decide several questions together.
    together: Vec<&'a EtcdStore>,
    tokens: Tokens,
}

impl Side<'_> {
    /// Does a step with one of its servers, and says in words what came of it.
    async fn step(&mut self, step: &Step, server: usize, now: Time) -> String {
        let store = self.stores[server % self.stores.len()];
        match step {
            Step::Ask(ask) => {
                let mut ask = ask.clone();
                if let Operation::Release { token: Some(token), .. } = &mut ask.operation {
                    *token = self.tokens.at(*token);
                }
                format!("{:?}", self.tokens.told(store.ask(ask).await.unwrap()))
            }
            Step::Together(asks) => {
                let mut told = vec![];
                while told.len() < asks.len() {
                    match self.together.get(server) {
                        Some(etcd) => {
                            let parts = &etcd.parts;
                            let some =
                                parts.decide_some(&asks[told.len()..], parts.deadline()).await.unwrap();
                            assert!(!some.is_empty());
                            told.extend(some);
                        }
                        None => told.push(store.ask(asks[told.len()].clone()).await.unwrap()),
                    }
                }
                let told: Vec<_> = told.into_iter().map(|told| self.tokens.told(told)).collect();
                format!("{told:?}")
            }
            Step::Pass(_) => String::new(),
            Step::PutHost(name, change) => {
                format!("{:?}", store.put_host(&host(name), change.clone()).await.unwrap())
            }
            Step::RemoveHost(name) => {
                let gone = store.remove_host(&host(name), &admin()).await.unwrap();
                format!("{gone}")
            }
            Step::CheckIn(name) => format!("{:?}", store.check_in(&host(name)).await.unwrap()),
            Step::Sweep(age) => {
                let before = Time::new(now.seconds() - i64::try_from(*age).unwrap(), 0);
                format!("{}", store.sweep(before).await.unwrap())
            }
        }
    }

    /// All that can be read, in words.
    async fn all(&self, server: usize) -> String {
        let store = self.stores[server % self.stores.len()];
        let paging = |page, per_page| Paging { page, per_page };
        let locks = store.locks(&Filter::All, Order::default(), paging(1, None)).await.unwrap();
        let locks: Vec<Lock> = locks.items.iter().map(|lock| self.tokens.lock(lock)).collect();
        let hosts = store.hosts(paging(1, Some(3))).await.unwrap();
        let events = store.events(None, EventQuery::Newest(paging(1, None))).await.unwrap();
        let words = |events: &[Logged]| -> String {
            let word = |logged: &Logged| {
                // Numbers of tokens in words differ.
                let detail = logged.event.detail.split("token").next().unwrap_or_default().to_owned();
                let event = disco_dlm::model::Event { detail, ..logged.event.clone() };
                format!("{} {event:?}\n", logged.lock)
            };
            events.iter().map(word).collect()
        };
        let mut all = format!("{locks:#?}\n{hosts:#?}\n{} events\n{}", events.total, words(&events.items));
        // The pages together are the whole, of all and of each lock; and so is what came after each event.
        for of in std::iter::once(None).chain((1..4).map(|id| Some(LockId(id)))) {
            let whole = store.events(of, EventQuery::Newest(paging(1, None))).await.unwrap();
            let mut paged = vec![];
            for page in 1.. {
                let page = store.events(of, EventQuery::Newest(paging(page, Some(7)))).await.unwrap();
                assert_eq!(page.total, whole.total);
                if page.items.is_empty() {
                    break;
                }
                paged.extend(page.items);
            }
            assert_eq!(paged, whole.items);
            let (mut later, mut after) = (vec![], 0);
            loop {
                let page = store.events(of, EventQuery::After(after, 3)).await.unwrap();
                let Some(last) = page.items.last() else { break };
                assert!(page.items.len() <= 3);
                after = last.id;
                later.extend(page.items);
            }
            later.reverse();
            assert_eq!(later, whole.items);
            all += &format!("{of:?}: {} {}", whole.total, words(&whole.items));
        }
        for id in 1..8 {
            all += &format!("{:?}\n", store.host_of(crate::access::HostId(id)).await.unwrap());
        }
        let names: Vec<_> = HOSTS.iter().map(|name| host(name)).collect();
        all + &format!("{:?}", store.host_ids(&names).await.unwrap())
    }
}

async fn compare(cluster: &Cluster, number: u32, steps: &[(Step, bool)]) {
    let clock = Arc::new(HandClock::at(1_000_000));
    let mut address = cluster.address();
    address.prefix = format!("/case-{number}");
    let options = super::patient();
    let connect = || EtcdStore::connect_at(&address, &options, clock.clone());
    let (one, two) = (connect().await.unwrap(), connect().await.unwrap());
    let memory = MemoryStore::default();
    let mut etcd = Side { stores: vec![&one, &two], together: vec![&one, &two], tokens: Tokens::default() };
    let mut model = Side { stores: vec![&memory], together: vec![], tokens: Tokens::default() };
    for (at, (step, server)) in steps.iter().enumerate() {
        if let Step::Pass(seconds) = step {
            // A server that does not look does not know for how long nobody renewed; these do.
            one.parts.all_locks(one.parts.deadline()).await.unwrap();
            two.parts.all_locks(two.parts.deadline()).await.unwrap();
            clock.pass(*seconds);
        }
        let now = super::super::clock::Clock::now(&*clock);
        memory.set_now(now);
        let server = usize::from(*server);
        let (left, right) = (etcd.step(step, server, now).await, model.step(step, 0, now).await);
        assert_eq!(left, right, "step {at} of {steps:#?}");
        if let Step::CheckIn(_) = step {
            // Until it is written down one server alone knows of it.
            [&one, &two][server].parts.flush_check_ins().await.unwrap();
        }
    }
    for server in [0, 1] {
        let (left, right) = (etcd.all(server).await, model.all(0).await);
        assert_eq!(left, right, "after {steps:#?}");
    }
}

#[tokio::test]
async fn any_steps_come_to_the_same_as_in_memory() {
    let cluster = Cluster::start(1).await;
    let mut runner = TestRunner::new(Config::default());
    for number in 0..CASES {
        let steps = vec((any_step(), any::<bool>()), 30..80).new_tree(&mut runner).unwrap().current();
        compare(&cluster, number, &steps).await;
    }
}
