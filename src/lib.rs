//! disco: a configuration-management client that runs everything in a copy-on-write view of the node's root.
