//! The client of the lock server: whom to ask, as whom, and how. It asks disco's own server or a Foreman, and gives the answers of
//! both in one form. How long to wait, and what a run makes of it, is decided above.
//!
//! - [`place`]: the server's address.
//! - [`identity`]: the certificates of this node, and where they are.
//! - [`netrc`]: passwords in a file.
//! - [`server`]: what can be asked of a server; [`native`] and [`foreman`] are the two wires.
//! - [`held`]: the note on disk of what this node holds.
//! - [`words`]: spans and policies in words.

pub mod error;
pub mod foreman;
pub mod held;
pub mod identity;
pub mod native;
pub mod netrc;
pub mod place;
pub mod server;
pub mod words;

pub use error::ServerError;
pub use held::{Held, Notes};
pub use identity::{Identity, IdentityError};
pub use place::{Place, PlaceError};
pub use server::{Acquired, Released, Server, Wire};
