"""Process workers against every peer: one file per peer, the rows that measure them, the floors."""
