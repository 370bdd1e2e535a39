//! What Argo CD reads from the annotations of an object.
//!
//! Source: Argo CD, "Sync Phases and Waves", "Sync Options".

/// In which wave of a sync an object is applied: a whole number, 0 where nothing is said.
pub(crate) const SYNC_WAVE: &str = "argocd.argoproj.io/sync-wave";

/// Options of one object, by commas. Those about its deletion are read from the live object.
pub(crate) const SYNC_OPTIONS: &str = "argocd.argoproj.io/sync-options";

/// The option that an object is deleted after everything else of a sync.
pub(crate) const PRUNE_LAST: &str = "PruneLast=true";
