//! Traffic systems: what must exist in a phase, and what the objects say.

/// A traffic system that tidegate can drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProviderId {
    /// Istio: VirtualService weights over DestinationRule subsets.
    Istio,
}
