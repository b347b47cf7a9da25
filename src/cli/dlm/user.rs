//! `disco dlm user`: who can log in to the lock server.

use std::collections::BTreeSet;

use disco_dlm::model::UserName;
use disco_dlm_server::access::{ApiToken, User};
use disco_dlm_server::admin::NewUser;
use serde_json::json;

use crate::cli::Format;
use crate::cli::dlm::{At, now, password, shown};
use crate::cli::exit::{Failure, Kind};
use crate::cli::runs::columns;

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
Examples:
  disco dlm user add alice --role Manager
  disco dlm user token add alice ci --days 90
  disco dlm user ls";

/// The version of the JSON lines' form.
const SCHEMA: u32 = 1;

/// What it takes.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Add a user; the password is asked for, or one line of standard input
    #[command(after_help = "\
Roles are Manager (all), Viewer (look at locks, logs and hosts), Distributed
Lock Manager (Foreman's), and those of the configuration. --admin allows
everything, whatever the roles are.

Examples:
  disco dlm user add alice --role Manager
  disco dlm user add bob --role Viewer < password.txt
  disco dlm user add ci --role Operators --no-password")]
    Add {
        /// The login
        login: UserName,
        /// A role; can be given several times
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// May do everything
        #[arg(long)]
        admin: bool,
        /// Only tokens log in
        #[arg(long)]
        no_password: bool,
        #[command(flatten)]
        at: At,
    },
    /// Give a user another password
    #[command(
        after_help = "Examples:\n  disco dlm user passwd alice\n  disco dlm user passwd alice < password.txt"
    )]
    Passwd {
        /// The login
        login: UserName,
        #[command(flatten)]
        at: At,
    },
    /// Remove a user, with all tokens
    #[command(after_help = "Example:\n  disco dlm user rm alice")]
    Rm {
        /// The login
        login: UserName,
        #[command(flatten)]
        at: At,
    },
    /// List the users
    #[command(
        after_help = "Examples:\n  disco dlm user ls\n  disco dlm user ls --format json | jq -r .login"
    )]
    Ls {
        /// How to print them
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
        #[command(flatten)]
        at: At,
    },
    /// Tokens, which programs give in place of a password
    #[command(
        subcommand,
        after_help = "\
Examples:
  disco dlm user token add alice ci --days 90
  disco dlm user token ls alice"
    )]
    Token(Token),
}

/// What `disco dlm user token` takes.
#[derive(Debug, clap::Subcommand)]
pub enum Token {
    /// Make a token, and print it: it is shown once
    #[command(after_help = "Example:\n  disco dlm user token add alice ci --days 90 > token")]
    Add {
        /// The login
        login: UserName,
        /// What the token is called
        name: String,
        /// After how many days it ends [default: never]
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..))]
        days: Option<u64>,
        #[command(flatten)]
        at: At,
    },
    /// Remove a token
    #[command(after_help = "Example:\n  disco dlm user token rm alice ci")]
    Rm {
        /// The login
        login: UserName,
        /// What the token is called
        name: String,
        #[command(flatten)]
        at: At,
    },
    /// List the tokens of a user
    #[command(after_help = "Example:\n  disco dlm user token ls alice")]
    Ls {
        /// The login
        login: UserName,
        /// How to print them
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
        #[command(flatten)]
        at: At,
    },
}

/// Does what the arguments ask for.
pub fn run(command: Command) -> Result<String, Failure> {
    match command {
        Command::Add { login, roles, admin, no_password, at } => {
            let config = at.config()?;
            if let Some(role) = roles.iter().find(|role| !config.set.roles.contains_key(*role)) {
                let all: Vec<&str> = config.set.roles.keys().map(String::as_str).collect();
                let hint = format!("the roles are {}; the configuration can have more", all.join(", "));
                return Err(
                    Failure::new(Kind::Usage, format!("role {role:?}: there is none")).hint(Some(hint))
                );
            }
            let store = at.store()?;
            if store.users()?.iter().any(|user| user.login == login) {
                return Err(disco_dlm_server::admin::AdminError::UserThere(login).into());
            }
            let password = if no_password { None } else { Some(password::new()?) };
            let new = NewUser { admin, roles: roles.into_iter().collect::<BTreeSet<_>>(), password };
            store.add_user(&login, new)?;
            Ok(format!("{login}: added\n"))
        }
        Command::Passwd { login, at } => {
            let store = at.store()?;
            // Before anybody types a password for nobody.
            store.user(&login)?;
            store.set_password(&login, &password::new()?)?;
            Ok(format!("{login}: has a new password\n"))
        }
        Command::Rm { login, at } => {
            at.store()?.remove_user(&login)?;
            Ok(format!("{login}: removed\n"))
        }
        Command::Ls { format, at } => {
            let users = at.store()?.users()?;
            Ok(match format {
                Format::Text => table(&users),
                Format::Json => users.iter().map(|user| format!("{}\n", line(user))).collect(),
            })
        }
        Command::Token(token) => run_token(token),
    }
}

fn run_token(token: Token) -> Result<String, Failure> {
    match token {
        Token::Add { login, name, days, at } => Ok(at.store()?.add_token(&login, &name, days, now())? + "\n"),
        Token::Rm { login, name, at } => {
            at.store()?.remove_token(&login, &name)?;
            Ok(format!("{login}: token {name:?} removed\n"))
        }
        Token::Ls { login, format, at } => {
            let tokens = at.store()?.user(&login)?.tokens;
            Ok(match format {
                Format::Text => tokens_table(&tokens),
                Format::Json => tokens.iter().map(|token| format!("{}\n", token_line(token))).collect(),
            })
        }
    }
}

fn table(users: &[User]) -> String {
    let head = ["LOGIN", "ROLES", "PASSWORD", "TOKENS"].map(str::to_owned);
    let rows = users.iter().map(|user| {
        let mut roles: Vec<&str> = user.roles.iter().map(String::as_str).collect();
        if user.admin {
            roles.insert(0, "(admin)");
        }
        let roles = if roles.is_empty() { "-".to_owned() } else { roles.join(", ") };
        let password = if user.password.is_some() { "yes" } else { "no" };
        [user.login.to_string(), roles, password.to_owned(), user.tokens.len().to_string()]
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// Without the password's and the tokens' hashes.
fn line(user: &User) -> serde_json::Value {
    json!({
        "schema": SCHEMA,
        "login": user.login,
        "admin": user.admin,
        "roles": user.roles,
        "password": user.password.is_some(),
        "tokens": user.tokens.iter().map(|token| &token.name).collect::<Vec<_>>(),
    })
}

fn tokens_table(tokens: &[ApiToken]) -> String {
    let head = ["NAME", "CREATED", "EXPIRES"].map(str::to_owned);
    let rows = tokens.iter().map(|token| {
        let expires = if token.expires.is_some() { shown(token.expires) } else { "never".to_owned() };
        [token.name.clone(), shown(Some(token.created)), expires]
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn token_line(token: &ApiToken) -> serde_json::Value {
    let expires = token.expires.map(|at| shown(Some(at)));
    json!({"schema": SCHEMA, "name": token.name, "created": shown(Some(token.created)), "expires": expires})
}
