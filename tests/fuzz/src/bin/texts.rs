//! All that is read as a text or as bytes: the first byte says as what.
#![no_main]

use disco_agent::client::reply;
use disco_agent::runs::{Answer, Ask};
use disco_agent::settings::{global::Global, yaml};
use disco_dlm_server::identity::certificate;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    if kind % 16 == 0 {
        disco_listen::peer::Certificate::of_der(bytes);
        disco_listen::peer::ends(bytes);
        disco_agent::face::peer::Shown::of_der(bytes);
        return;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match kind % 16 {
        1 => disco_fuzz::server::search(text),
        2 => drop(disco_dlm_server::config::parse(text)),
        3 => drop(certificate::of_header(text)),
        4 => drop(yaml::parse("settings.yml", text).map(|file| Global::of(&file))),
        5 => drop((reply::v1(text), reply::v2(text))),
        6 => {
            if let Ok(ask) = serde_json::from_str::<Ask>(text) {
                let again = serde_json::to_string(&ask).expect("it was JSON");
                assert_eq!(serde_json::from_str::<Ask>(&again).expect("it is JSON"), ask);
            }
            drop(serde_json::from_str::<Answer>(text));
        }
        7 => drop(serde_json::from_str::<disco_dlm::model::Policy>(text)),
        #[cfg(feature = "client")]
        8 => drop(disco::modules::requires::parse_requires(text)),
        #[cfg(feature = "client")]
        9 => drop(disco::params::assignments::parse_assignments(text, &Default::default())),
        #[cfg(feature = "client")]
        10 => drop((disco::sources::resolver::resolver(text), disco::sources::resolver::hosts(text))),
        #[cfg(feature = "client")]
        11 => drop(serde_json::from_str::<disco::model::run::RunRecord>(text)),
        _ => {}
    }
});
