//! What the routes do: requests that were checked become what is asked of the manager, or answers.

pub(super) mod about;
pub(super) mod clusters;
pub(super) mod faults;
pub(super) mod operations;
pub(super) mod ramps;
