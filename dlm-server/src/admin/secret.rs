//! Passwords and tokens as they are kept: the one as a PHC string of Argon2id, the other as SHA-256 in hex.

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// A secret that cannot be made.
#[derive(Debug, Error)]
pub enum SecretError {
    /// No randomness.
    #[error("the system gives no random bytes")]
    Random(#[source] getrandom::Error),
    /// No hash.
    #[error("the password cannot be hashed")]
    Hash(#[source] argon2::password_hash::Error),
}

/// A password as it is kept.
pub fn hash(password: &str) -> Result<String, SecretError> {
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(SecretError::Hash)?;
    Ok(hash.to_string())
}

/// A new token: 256 random bits, as letters that need no escape anywhere.
pub fn token() -> Result<String, SecretError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(SecretError::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A token as it is kept.
pub fn sha256(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
