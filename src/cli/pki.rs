//! `disco pki`: a private authority for the certificates of a lock server and its hosts.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::cli::exit::{Failure, Kind};
use crate::cli::{Format, Said};
use crate::ops::pki::{self, Valid};
use crate::pki::{AltName, CertificateName, Entry, Kind as For};

/// A private authority: certificates for lock servers, agents and their hosts
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make the authority: its key, its certificate (10 years), an empty CRL
    #[command(after_help = "\
The folder is as good as the key in it: 0700, on a machine that is backed up and
that few can enter.

Examples:
  disco pki init
  disco pki init --dir /root/lock-ca --name 'Locks of Example'")]
    Init {
        /// What the authority is called [default: disco locks, and a number]
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
        /// Where the authority is
        #[command(flatten)]
        folder: Folder,
    },
    /// Make a key and a certificate, of a host or of a server
    #[command(after_help = "\
Examples:
  disco pki issue web1.example.com
  disco pki issue --server locks.example.com --san 192.0.2.10 --san locks
  disco pki issue --server --client web2.example.com   (it has an agent, too)")]
    Issue {
        /// The host's full name, as the lock server will know it
        name: CertificateName,
        /// For a server, not for a host: a lock server, an agent, a smart proxy
        #[arg(long)]
        server: bool,
        /// With --server: for a host as well, by one name
        #[arg(long, requires = "server")]
        client: bool,
        /// Another name or address by which the server is called; can be repeated
        #[arg(long, value_name = "DNS|IP", requires = "server")]
        san: Vec<AltName>,
        /// How long it is valid
        #[command(flatten)]
        days: Days,
        /// Where the authority is
        #[command(flatten)]
        folder: Folder,
    },
    /// Revoke all certificates of a name, and write the CRL anew
    #[command(after_help = "\
The lock server reads the CRL again on SIGHUP.

Example:
  disco pki revoke web1.example.com")]
    Revoke {
        /// Whose
        name: CertificateName,
        /// Where the authority is
        #[command(flatten)]
        folder: Folder,
    },
    /// List what was issued
    #[command(after_help = "Examples:\n  disco pki ls\n  disco pki ls --format json")]
    Ls {
        /// How to print the list
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
        format: Format,
        /// Where the authority is
        #[command(flatten)]
        folder: Folder,
    },
    /// Write the CRL anew, or make a new certificate for a key that is there
    #[command(after_help = "\
A CRL counts for 30 days; every command writes it anew in its last week, so a
weekly `disco pki renew` is enough.

Examples:
  disco pki renew
  disco pki renew web1.example.com")]
    Renew {
        /// Whose certificate [default: the CRL alone]
        name: Option<CertificateName>,
        /// How long it is valid
        #[command(flatten)]
        days: Days,
        /// Where the authority is
        #[command(flatten)]
        folder: Folder,
    },
}

/// Where the authority is.
#[derive(Debug, clap::Args)]
pub struct Folder {
    /// The authority's folder
    #[arg(long, value_name = "DIR", default_value = "/etc/disco/pki")]
    dir: PathBuf,
}

/// How long a certificate is valid.
#[derive(Debug, clap::Args)]
pub struct Days {
    /// For how many days it is valid
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

/// Does what the arguments ask for.
pub fn run(command: Command) -> Result<Said, Failure> {
    Ok(match command {
        Command::Init { name, folder: Folder { dir } } => {
            let made = pki::init(&dir, name.as_deref())?;
            let at = |name: &str| made.path(name).display().to_string();
            let lines = [
                format!("authority   {}   (bring it to the server and to every host)", at("ca.pem")),
                format!("its key     {}   (it stays here)", at("ca.key")),
                format!("CRL         {}   (bring it to the server)", at("crl.pem")),
                "Next:".to_owned(),
                format!("  disco pki issue --server NAME-OF-THE-SERVER{}", named(&dir)),
                format!("  disco pki issue NAME-OF-A-HOST{}", named(&dir)),
            ];
            (lines.join("\n") + "\n").into()
        }
        Command::Issue { name, server, client, san, days, folder: Folder { dir } } => {
            let kind = match (server, client) {
                (true, true) => For::Both,
                (true, false) => For::Server,
                (false, _) => For::Host,
            };
            let (files, ca) = pki::issue(&dir, &name, kind, &san, days.days)?;
            made(&name, kind, &files, &ca)
        }
        Command::Revoke { name, folder: Folder { dir } } => {
            let (number, crl) = pki::revoke(&dir, &name)?;
            let lines = format!(
                "{number} certificates of {name} are revoked\nCRL         {}\nNext: bring it to the lock server, and have it read that again (SIGHUP)\n  the same for agents that let {name} ask: `crl` in /etc/disco/agent.toml; where it is not set, take the name out of `names`\n",
                crl.display()
            );
            lines.into()
        }
        Command::Renew { name: None, folder: Folder { dir }, .. } => {
            let (until, crl) = pki::renew_crl(&dir)?;
            format!("CRL         {}   (counts until {until})\n", crl.display()).into()
        }
        Command::Renew { name: Some(name), days, folder: Folder { dir } } => {
            let (files, ca, kind) = pki::renew(&dir, &name, days.days)?;
            made(&name, kind, &files, &ca)
        }
        Command::Ls { format, folder: Folder { dir } } => {
            let (entries, crl_until) = pki::list(&dir)?;
            match format {
                Format::Text => table(&entries, &crl_until).into(),
                Format::Json => {
                    let list = json!({"schema": 1, "crl_until": crl_until, "issued": entries});
                    let text = serde_json::to_string(&list);
                    (text.map_err(|error| Failure::from_error(Kind::Software, &error))? + "\n").into()
                }
            }
        }
    })
}

/// The flag that names the folder, where it is not the usual one.
fn named(folder: &Path) -> String {
    match folder == Path::new("/etc/disco/pki") {
        true => String::new(),
        false => format!(" --dir {}", folder.display()),
    }
}

fn made(name: &CertificateName, kind: For, files: &crate::pki::Files, ca: &Path) -> Said {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let ca = ca.display();
    let asks = || {
        format!(
            "  scp {certificate} {name}:/etc/disco/pki/host.pem; scp {key} {name}:/etc/disco/pki/host.key; scp {ca} {name}:/etc/disco/pki/ca.pem\n  disco dlm host add {name}      (on the lock server)\n  to let it ask an agent for runs, in /etc/disco/agent.toml there: names = [\"{name}\"], and client_ca below [tls]\n"
        )
    };
    let next = match kind {
        For::Host => asks(),
        For::Server => format!(
            "  a lock server: in /etc/disco/dlm.toml, below [tls]: certificate = \"{certificate}\", key = \"{key}\", client_ca = \"{ca}\"\n  on every host: disco param set disco/dlm/url https://{name}:8443\n  an agent: copies that disco-agent can read, named below [tls] of its agent.toml (docs/agent-api.md)\n"
        ),
        For::Both => {
            asks()
                + "  for its agent, copies that disco-agent can read: below [tls] of its agent.toml, or ssl_certificate, ssl_private_key and ssl_ca_file of its smart proxy's settings.yml\n"
        }
    };
    format!("certificate {certificate}\nkey         {key}\nNext:\n{next}").into()
}

fn table(entries: &[(Entry, Valid)], crl_until: &str) -> String {
    let width = entries.iter().map(|(entry, _)| entry.name.as_str().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (entry, valid) in entries {
        let kind = match entry.kind {
            For::Host => "host  ",
            For::Server => "server",
            For::Both => "both  ",
        };
        let also: Vec<String> = entry.also.iter().map(AltName::to_string).collect();
        let also = if also.is_empty() { String::new() } else { format!("  {}", also.join(" ")) };
        text += &format!(
            "{:width$}  {kind}  {:24}  {}{also}\n",
            entry.name.as_str(),
            valid.words(),
            entry.serial
        );
    }
    text + &format!("The CRL counts until {crl_until}\n")
}
