//! disco's own subsystems as features. What they are is said here; how they stand is said by whoever has them.
//!
//! `logs` and `facts` are known to a Foreman as it comes; it takes no proxy that has none it knows. `logs` works wherever this face
//! does.

use std::sync::Arc;

use crate::face::feature::{Ask, Feature, FeatureName, Known, NotAName, Provider, Spec, Standing};
use crate::settings::Value;

/// Says how a subsystem stands.
pub type Stands = Box<dyn Fn() -> Standing + Send + Sync>;

/// A subsystem, with who knows how it stands.
pub struct Subsystem {
    spec: Spec,
    stands: Stands,
    asks: Vec<Arc<dyn Ask>>,
}

impl Subsystem {
    /// A subsystem that stands as `stands` says.
    pub fn new(spec: Spec, stands: Stands) -> Subsystem {
        Subsystem { spec, stands, asks: vec![] }
    }

    /// The same, with a back end to ask what it can do.
    #[must_use]
    pub fn asking(mut self, ask: Arc<dyn Ask>) -> Subsystem {
        self.asks.push(ask);
        self
    }
}

impl Feature for Subsystem {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    fn standing(&self) -> Standing {
        (self.stands)()
    }

    fn asks(&self) -> Vec<Arc<dyn Ask>> {
        self.asks.clone()
    }
}

/// Live runs.
pub fn dance() -> Result<Spec, NotAName> {
    spec("dance", &["apply", "confirm", "recover", "undo"], &[])
}

/// Dry runs.
pub fn noop() -> Result<Spec, NotAName> {
    spec("noop", &["diff", "plan"], &[])
}

/// The cluster lock, from one of the servers that disco can ask.
pub fn lock() -> Result<Spec, NotAName> {
    let provider = |name: &str| {
        let name = FeatureName::new(name)?;
        Ok(Provider { name, settings: vec![Known::exposed("lock_url")], capabilities: vec![] })
    };
    let providers = vec![provider("lock_disco")?, provider("lock_foreman")?];
    Ok(Spec { providers: Some(providers), ..spec("lock", &["acquire", "release"], &[])? })
}

/// Runs that are asked for over HTTP.
pub fn trigger() -> Result<Spec, NotAName> {
    spec("trigger", &["abort", "noop", "run", "wait"], &["trigger_url"])
}

/// `/logs`.
pub fn logs() -> Result<Spec, NotAName> {
    // On where nothing is said, as in a smart proxy.
    Ok(Spec { enabled: Value::Bool(true), ..spec("logs", &[], &[])? })
}

/// Facts of this node, for a Foreman.
pub fn facts() -> Result<Spec, NotAName> {
    spec("facts", &[], &[])
}

fn spec(name: &str, capabilities: &[&str], exposed: &[&str]) -> Result<Spec, NotAName> {
    let mut spec = Spec::new(FeatureName::new(name)?);
    spec.capabilities = capabilities.iter().map(|one| (*one).to_owned()).collect();
    spec.settings = exposed.iter().map(|key| Known::exposed(key)).collect();
    Ok(spec)
}
