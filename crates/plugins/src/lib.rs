//! Every directive of the Corefile, a folder each.
