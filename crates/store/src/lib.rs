//! Resources, versions, search execution, journal, audit log.
