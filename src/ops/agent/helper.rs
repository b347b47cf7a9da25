//! The helper: listens at a Unix socket, for root and the agent's user alone, and answers a fixed set of verbs. One connection, one
//! question; each has a thread, and no more than there is room for.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use disco_agent::runs::ask::LONGEST_TEXT;
use disco_agent::runs::line::{self, LineError};
use disco_agent::runs::queue::Wanted;
use disco_agent::runs::{Answer, Ask, Found, Refusal, TriggerId};

use crate::model::names::ModuleName;
use crate::settings::Flags;
use crate::sys::files;
use crate::sys::interrupt::Interrupt;
use crate::sys::rights::Account;
use crate::sys::visitors::{self, Came, Visitor, Visitors};

use super::chores::Chores;
use super::desk::{Desk, refused};
use super::store::Store;
use super::{AgentError, Exit, process, standing};

/// How many may be answered at once.
const MOST: usize = 64;
/// How many of them may wait: for an end, or for more of a log. The others find room.
const MOST_WAITING: usize = 48;
/// How long a question may take to come, and an answer to go.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest wait for an end.
const LONGEST_WAIT: u64 = 3600;
/// How often a log is looked at for more.
const LOG_LOOK: Duration = Duration::from_millis(100);
/// How often a lock server is looked for that is not set, or does not answer.
const UNKNOWN: Duration = Duration::from_secs(60);

/// What a helper is started with.
#[derive(Debug, Clone)]
pub struct Serving {
    /// Its socket, unless systemd gives it one.
    pub socket: PathBuf,
    /// The agent's user, who may ask beside root.
    pub user: String,
    /// disco's home.
    pub home: PathBuf,
    /// What settings are read with.
    pub settings: Flags,
    /// Flags for each disco that it starts.
    pub flags: Vec<String>,
    /// How often the registration with a Foreman and the lock server are looked after.
    pub tend: Duration,
    /// How long it stays with nothing to do where systemd starts it when somebody comes.
    pub idle: Duration,
    /// Says what is good to know, as `say` says what somebody should look at.
    pub note: fn(&str),
    /// What code a run ends with that has left a record.
    pub exit: Exit,
}

/// What a helper says of itself.
#[derive(Debug)]
pub enum Said<'a> {
    /// It listens there.
    Listens(&'a str),
    /// The agent's user is not there, so that root alone may ask.
    NoUser(&'a str),
}

struct Helper {
    desk: Arc<Desk>,
    /// Whether the lock server answered when it was asked last.
    lock: Arc<Mutex<Found>>,
    settings: Flags,
    /// Who may ask beside root.
    user: Option<u32>,
    open: AtomicUsize,
    waiting: AtomicUsize,
}

/// Answers whoever comes until a signal asks to stop. What is under way goes on.
pub fn serve(
    serving: Serving,
    interrupt: &Interrupt,
    say: fn(&str),
    on_event: &mut dyn FnMut(Said<'_>),
) -> Result<(), AgentError> {
    let listen = |source| AgentError::Listen { path: serving.socket.clone(), source };
    let given = Visitors::given().map_err(listen)?;
    let store = Store::open(&serving.home)?;
    let _lock = store.take_helper_lock()?;
    let account = Account::find(&serving.user)
        .map_err(|source| AgentError::Account { user: serving.user.clone(), source })?;
    if account.is_none() {
        on_event(Said::NoUser(&serving.user));
    }
    let visitors = match given {
        Some(visitors) => visitors,
        None => {
            if let Some(folder) = serving.socket.parent() {
                files::create_dirs(folder, 0o755)?;
            }
            Visitors::open(&serving.socket, account.as_ref().map(|account| account.group)).map_err(listen)?
        }
    };
    let desk = Desk::open(serving.home, serving.flags, serving.exit, say)?;
    let (tend, note, own_timer) = (serving.tend, serving.note, !visitors.is_given());
    let settings = serving.settings.clone();
    Chores { settings, desk: desk.clone(), own_timer, tend, say, note }.begin();
    let lock = Arc::new(Mutex::new(Found::NotLooked));
    let (flags, seen) = (serving.settings.clone(), lock.clone());
    // By a thread of its own: a server that hangs must not keep runs by timer.
    std::thread::spawn(move || {
        loop {
            let found = standing::lock(&flags);
            // One that has just been set, or comes back, is seen sooner.
            let pause = if found == Found::Works { tend } else { tend.min(UNKNOWN) };
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = found;
            std::thread::sleep(pause);
        }
    });
    let helper = Arc::new(Helper {
        desk,
        lock,
        settings: serving.settings,
        user: account.map(|account| account.user),
        open: AtomicUsize::new(0),
        waiting: AtomicUsize::new(0),
    });
    on_event(Said::Listens(&serving.socket.display().to_string()));
    disco_listen::pages::give_back_for_ever();
    let mut idle_since = Instant::now();
    while interrupt.signal().is_none() {
        match process("wait at the socket", visitors.next(interrupt, Duration::from_secs(1)))? {
            Came::Visitor(visitor) => helper.clone().let_in(visitor),
            Came::Other => break,
            Came::Nobody => {}
        }
        if helper.open.load(Ordering::SeqCst) > 0 || !helper.desk.is_idle() {
            idle_since = Instant::now();
        } else if visitors.is_given() && idle_since.elapsed() > serving.idle {
            break;
        }
    }
    Ok(())
}

/// A place that is taken; dropping it frees it.
struct Place(Arc<Helper>, fn(&Helper) -> &AtomicUsize);

impl Place {
    fn take(helper: &Arc<Helper>, of: fn(&Helper) -> &AtomicUsize, most: usize) -> Option<Place> {
        let count = of(helper);
        if count.fetch_add(1, Ordering::SeqCst) < most {
            return Some(Place(helper.clone(), of));
        }
        count.fetch_sub(1, Ordering::SeqCst);
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.1(&self.0).fetch_sub(1, Ordering::SeqCst);
    }
}

impl Helper {
    fn let_in(self: Arc<Helper>, visitor: Visitor) {
        let Visitor { stream, uid, .. } = visitor;
        // Who is turned away here is not waited for: the socket's buffer takes the answer.
        if uid != 0 && Some(uid) != self.user {
            let message = format!("user {uid} may not ask: root and the agent's user may");
            return tell(&stream, &refused(Refusal::Failed, message), Duration::from_millis(1));
        }
        let Some(place) = Place::take(&self, |helper| &helper.open, MOST) else {
            let full = refused(Refusal::Failed, "too many ask at once: ask again");
            return tell(&stream, &full, Duration::from_millis(1));
        };
        std::thread::spawn(move || {
            self.serve(&stream);
            drop(place);
        });
    }

    fn serve(self: &Arc<Helper>, stream: &UnixStream) {
        let answer = match line::receive(stream, PATIENCE) {
            Ok((text, _)) => match serde_json::from_str(&text) {
                Ok(Ask::Log { id, from }) => return self.log(stream, &id, from),
                Ok(ask) => self.answer(stream, ask),
                Err(error) => malformed(error),
            },
            Err(error @ (LineError::Long | LineError::Late | LineError::NoText)) => malformed(error),
            // Nobody is there to hear it.
            Err(LineError::Short | LineError::Broken(_)) => return,
        };
        tell(stream, &answer, PATIENCE);
    }

    fn answer(self: &Arc<Helper>, stream: &UnixStream, ask: Ask) -> Answer {
        match ask {
            Ask::Run { noop, modules, by, key, alone } => {
                if let Some(name) = modules.iter().find(|name| ModuleName::new(name.as_str()).is_err()) {
                    return malformed(format!("{name:?} is no name of a module"));
                }
                if !is_text(&by) || !key.as_ref().is_none_or(|key| is_text(key)) {
                    return malformed(format!("who asks, and a key, are 1 to {LONGEST_TEXT} bytes of text"));
                }
                self.desk.take(Wanted { noop, modules, by, key, alone })
            }
            Ask::Status { id, wait } => {
                // Where there is no room to wait it is answered at once: that it has not ended says so.
                let place =
                    (wait > 0).then(|| Place::take(self, |helper| &helper.waiting, MOST_WAITING)).flatten();
                let within = place.as_ref().map_or(0, |_| wait.min(LONGEST_WAIT));
                self.desk.status(&id, Duration::from_secs(within), &|| visitors::has_gone(stream))
            }
            Ask::Abort { by, .. } if !is_text(&by) => {
                malformed(format!("who asks is 1 to {LONGEST_TEXT} bytes of text"))
            }
            Ask::Abort { id, by } => self.desk.abort(&id, &by),
            Ask::List {} => self.desk.list(line::LONGEST - 1024),
            Ask::Standing {} => {
                let running = self.desk.under_way();
                let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).clone();
                Answer::Standing(standing::standing(&self.desk.home, &self.settings, running, lock))
            }
            Ask::Log { .. } => malformed("a log is asked for alone"),
        }
    }

    /// Answers with the run, and sends what it prints until it ends, or whoever asks has gone.
    fn log(self: &Arc<Helper>, stream: &UnixStream, id: &TriggerId, from: u64) {
        let Some(_place) = Place::take(self, |helper| &helper.waiting, MOST_WAITING) else {
            return tell(stream, &refused(Refusal::Failed, "too many wait: ask again"), PATIENCE);
        };
        let answer = self.desk.status(id, Duration::ZERO, &|| false);
        tell(stream, &answer, PATIENCE);
        if matches!(answer, Answer::Run(_)) {
            // Whoever reads it has gone, or the log: either way there is nobody to tell more.
            let _ = self.send_log(stream, id, from);
        }
    }

    fn send_log(
        &self,
        stream: &UnixStream,
        id: &TriggerId,
        from: u64,
    ) -> Result<(), Box<dyn std::error::Error>> {
        let (mut log, mut piece) = (None, vec![0; 32 << 10]);
        loop {
            // Looked at before it is read: what was printed before the end is in it then.
            let has_ended = self.desk.look(id)?.is_none_or(|run| run.state.is_end());
            if log.is_none() {
                log = self.desk.store.log(id)?;
                if let Some(log) = &mut log {
                    log.seek(SeekFrom::Start(from))?;
                }
            }
            let read = log.as_mut().map_or(Ok(0), |log| log.read(&mut piece))?;
            line::send(stream, &piece[..read], PATIENCE)?;
            if read == 0 {
                if has_ended || visitors::has_gone(stream) {
                    return Ok(());
                }
                self.desk.pause(LOG_LOOK);
            }
        }
    }
}

fn malformed(why: impl ToString) -> Answer {
    refused(Refusal::Malformed, why.to_string())
}

fn is_text(text: &str) -> bool {
    (1..=LONGEST_TEXT).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn tell(stream: &UnixStream, answer: &Answer, within: Duration) {
    // Plain data with names for keys: it has a form in JSON.
    let text = serde_json::to_string(answer).expect("an answer is JSON") + "\n";
    // Whoever has gone, or does not read, does not want to hear it.
    let _ = line::send(stream, text.as_bytes(), within);
}
