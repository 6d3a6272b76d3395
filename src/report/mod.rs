//! Results for people (aligned tables with units) and machines (JSON).
