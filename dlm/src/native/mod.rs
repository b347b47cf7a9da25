//! disco's own wire: the JSON that its lock server and its clients exchange. Plain data alone, for both to use; docs/dlm-api.md
//! has the routes. What a client does not know it ignores, so fields can be added; what a server does not know it refuses.
//!
//! - [`ask`]: bodies of requests.
//! - [`say`]: bodies of answers.
//! - [`route`]: the paths, and how a lock's name becomes a part of one.

pub mod ask;
pub mod route;
pub mod say;
