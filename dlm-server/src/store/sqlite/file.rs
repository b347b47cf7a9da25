//! The file: made with its folder, opened, and brought to the form of this program.

#![allow(
    clippy::disallowed_methods,
    reason = "a store has its file; each error is told with its path by who asked"
)]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::schema::{APPLICATION, FIRST, FORM};
use super::trouble::{Done, Trouble};
use crate::search::like;

/// How long another process may keep the file to itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// To how many bytes the log is cut when it begins anew.
const LONGEST_LOG: i64 = 64 << 20;
/// How many statements a connection keeps ready.
const STATEMENTS: usize = 64;

/// A connection that writes. The file is made where there is none: for its owner alone, in a folder for its owner alone.
pub fn writing(path: &Path) -> Done<Connection> {
    make(path)?;
    let mut connection = connect(path)?;
    into_wal(&connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", LONGEST_LOG)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    bring_to_form(&mut connection)?;
    Ok(connection)
}

/// A connection that only reads.
pub fn reading(path: &Path) -> Done<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(path: &Path) -> Done<Connection> {
    // No URI: a path with a question mark is a path. Threads never share a connection.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("disco_like", 2, flags, |values| {
        let text = |at: usize| values.get_raw(at).as_str_or_null();
        Ok(match (text(0)?, text(1)?) {
            (Some(value), Some(pattern)) => like(value, pattern),
            _ => false,
        })
    })?;
    Ok(connection)
}

/// An empty file where there is none, and the folders on the way, so that they survive a power cut.
fn make(path: &Path) -> Done<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(file) => file.sync_all()?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    let above = missing.iter().filter_map(|folder| folder.parent());
    for folder in above.chain([folder.as_path()]) {
        let folder = if folder == Path::new("") { Path::new(".") } else { folder };
        File::open(fs::canonicalize(folder)?)?.sync_all()?;
    }
    Ok(())
}

/// Write-ahead logging. SQLite does not wait for other processes here, so this does.
fn into_wal(connection: &Connection) -> Done<()> {
    let start = Instant::now();
    loop {
        let mode =
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0));
        match mode.map_err(Trouble::from) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Err(trouble) if !trouble.is_busy() || start.elapsed() > PATIENCE => return Err(trouble),
            Ok(mode) if start.elapsed() > PATIENCE => {
                return Err(Trouble::row("the journal", format!("its mode is {mode}, and not wal")));
            }
            Ok(_) | Err(_) => sleep(Duration::from_millis(5)),
        }
    }
}

fn bring_to_form(connection: &mut Connection) -> Done<()> {
    if form(connection)? == FORM {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have made it meanwhile.
    if form(&transaction)? == 0 {
        transaction.execute_batch(FIRST)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", FORM)?;
    }
    Ok(transaction.commit()?)
}

/// The form of the file; 0 is an empty one. Newer ones and other programs' files are refused.
fn form(connection: &Connection) -> Done<u32> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (form, application) = (number("user_version")?, number("application_id")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let form = u32::try_from(form).unwrap_or(u32::MAX);
    match (application, tables) {
        (APPLICATION, _) if form > FORM => Err(Trouble::Newer(form)),
        (APPLICATION, 1..) if form > 0 => Ok(form),
        (0, 0) if form == 0 => Ok(0),
        _ => Err(Trouble::Foreign),
    }
}
