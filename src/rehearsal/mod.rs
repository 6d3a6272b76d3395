//! The embedded stand-in for a Rancher server and its load profile: for demos, calibration and benchmarks, never the proof
//! of compatibility.
