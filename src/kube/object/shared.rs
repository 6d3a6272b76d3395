//! Equal pieces of bodies are kept once for all clusters of a worker.

use super::body::Hole;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Weak};

/// A piece of an object's JSON with holes.
#[derive(Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Piece {
    pub text: Box<[u8]>,
    /// In the order of their places.
    pub holes: Box<[Hole]>,
}

/// The pieces that a thread has shared and that somebody still holds, by their hashes.
#[derive(Default)]
struct Known {
    pieces: HashMap<u64, Weak<Piece>>,
    hasher: RandomState,
    /// How many there may be before those that nobody holds are let go.
    sweep_at: usize,
}

impl Piece {
    /// How many bytes it takes.
    pub(super) fn size_bytes(&self) -> usize {
        size_of::<Piece>() + self.text.len() + size_of_val(&*self.holes)
    }
}

/// The one piece that is equal to this.
pub(super) fn share(piece: Piece) -> Arc<Piece> {
    KNOWN.with_borrow_mut(|known| known.share(piece))
}

impl Known {
    fn share(&mut self, piece: Piece) -> Arc<Piece> {
        let hash = self.hasher.hash_one(&piece);
        let found = self.pieces.get(&hash).and_then(Weak::upgrade);
        if let Some(found) = found {
            // Another piece of the same hash keeps its place; this one is then not shared.
            return if *found == piece { found } else { Arc::new(piece) };
        }
        if self.pieces.len() >= self.sweep_at {
            self.pieces.retain(|_, piece| piece.strong_count() > 0);
            self.sweep_at = (2 * self.pieces.len()).max(FEWEST_SWEPT);
        }
        let piece = Arc::new(piece);
        self.pieces.insert(hash, Arc::downgrade(&piece));
        piece
    }
}

thread_local! {
    /// A worker's clusters never leave its thread, so that no lock is needed.
    static KNOWN: RefCell<Known> = RefCell::default();
}

/// Fewer are not worth a sweep.
const FEWEST_SWEPT: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str) -> Piece {
        Piece { text: text.as_bytes().into(), holes: Box::default() }
    }

    #[test]
    fn equal_pieces_are_one_as_long_as_somebody_holds_it() {
        let mut known = Known::default();
        let (one, other, different) = (known.share(piece("a")), known.share(piece("a")), known.share(piece("b")));
        assert!(Arc::ptr_eq(&one, &other) && !Arc::ptr_eq(&one, &different));
        drop((one, other));
        assert_eq!(known.pieces.values().filter(|piece| piece.strong_count() > 0).count(), 1);
        let held: Vec<_> = (0..3 * FEWEST_SWEPT).map(|number| known.share(piece(&number.to_string()))).collect();
        drop(held);
        (0..FEWEST_SWEPT).for_each(|number| drop(known.share(piece(&format!("x{number}")))));
        assert!(known.pieces.len() <= 6 * FEWEST_SWEPT, "{}", known.pieces.len());
    }
}
