//! `rgctl sim`: the embedded cloud by hand.
