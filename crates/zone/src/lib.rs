//! Zone files and zones in memory: lookup, delegation, wildcards. Pure.
