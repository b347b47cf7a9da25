//! OAuth 1.0 signatures with HMAC-SHA1 (RFC 5849), as a Foreman checks them. Pure: time and chance are arguments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use url::Url;

/// Encodes all but unreserved characters (section 3.6).
pub fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

/// What is signed (section 3.4.1): the method, the address without its query, and all parameters: those of the query, and these.
/// A body that is no form is not part of it.
pub fn base_string(method: &str, url: &Url, parameters: &[(String, String)]) -> String {
    let query = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned()));
    let mut all: Vec<(String, String)> = query
        .chain(parameters.iter().cloned())
        .map(|(name, value)| (encode(&name), encode(&value)))
        .collect();
    all.sort();
    let all: Vec<String> = all.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    // `Url` has the host in lower case, and no port where it is the usual one.
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let address = format!("{}://{host}{port}{}", url.scheme(), url.path());
    format!("{}&{}&{}", method.to_uppercase(), encode(&address), encode(&all.join("&")))
}

/// The signature of a base string (section 3.4.2).
pub fn sign(base: &str, consumer_secret: &str, token_secret: &str) -> String {
    let key = format!("{}&{}", encode(consumer_secret), encode(token_secret));
    // A key of HMAC may have any length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(base.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The two of a consumer.
#[derive(Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Foreman's setting `oauth_consumer_key`.
    pub key: String,
    /// Foreman's setting `oauth_consumer_secret`.
    pub secret: String,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "consumer {} with a secret", self.key)
    }
}

/// The header `Authorization` for a request without a token.
pub fn header(method: &str, url: &Url, consumer: &Consumer, timestamp: u64, nonce: &str) -> String {
    let mut parameters: Vec<(String, String)> = [
        ("oauth_consumer_key", consumer.key.clone()),
        ("oauth_nonce", nonce.to_owned()),
        ("oauth_signature_method", String::from("HMAC-SHA1")),
        ("oauth_timestamp", timestamp.to_string()),
        ("oauth_version", String::from("1.0")),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let signature = sign(&base_string(method, url, &parameters), &consumer.secret, "");
    parameters.push((String::from("oauth_signature"), signature));
    let all: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{name}=\"{}\"", encode(value))).collect();
    format!("OAuth {}", all.join(", "))
}
