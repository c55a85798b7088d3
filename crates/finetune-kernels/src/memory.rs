//! Memory that is reused from step to step.
//!
//! A training step allocates and frees hundreds of buffers of a few megabytes. Having the system map
//! and unmap their pages each time took a quarter of a step. Here they are cut from chunks that stay
//! allocated, and adjacent free pieces are merged again, so that a step reuses the memory of the
//! previous one whatever the shape of its batch.

use std::{
    alloc::{Layout, handle_alloc_error},
    collections::{BTreeMap, BTreeSet},
    mem::MaybeUninit,
    ptr::NonNull,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty, Bytes};
use memmap2::MmapMut;

/// Pieces start and end at multiples of a cache line.
const ALIGN: usize = 64;

/// Chunks start and end at multiples of a large page, so that the system can back them with such
/// pages.
const CHUNK_ALIGN: usize = if cfg!(miri) { ALIGN } else { 2 << 20 };

/// Size of a chunk in bytes. A larger piece gets a separate chunk. It is small under Miri, which touches
/// every byte.
const CHUNK: usize = if cfg!(miri) { 1 << 16 } else { 16 << 20 };

static ARENA: LazyLock<Mutex<Arena>> = LazyLock::new(|| Mutex::new(Arena::default()));

fn arena() -> MutexGuard<'static, Arena> {
    // The arena is valid even after a panic in another thread: none of its methods panics halfway.
    ARENA.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns unused chunks to the system, for a process that lives on after training.
pub fn release_unused_memory() {
    arena().release();
}

/// A piece of the arena with initialized but arbitrary contents.
#[derive(Debug)]
pub(crate) struct Piece {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a piece is owned memory that nothing else refers to.
unsafe impl Send for Piece {}
// SAFETY: through a shared reference it can only be read.
unsafe impl Sync for Piece {}

impl Piece {
    /// Allocates memory for at least `len` elements.
    pub(crate) fn new(len: usize) -> Self {
        let bytes = (len * size_of::<f32>()).max(1).next_multiple_of(ALIGN);
        let start = arena().take(bytes);
        Self { start, bytes }
    }

    /// Returns the whole piece as elements.
    pub(crate) fn as_slice(&self) -> &[f32] {
        let len = self.bytes / size_of::<f32>();
        // SAFETY: the piece is aligned, of this length, owned, and initialized (chunks are zeroed).
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), len) }
    }

    /// Returns the whole piece as mutable elements.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        let len = self.bytes / size_of::<f32>();
        // SAFETY: as in `as_slice`, and it is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), len) }
    }

    /// Turns the piece into the memory of a tensor of `len` elements.
    pub(crate) fn into_bytes(self, len: usize) -> Bytes {
        let len = len * size_of::<f32>();
        debug_assert!(len <= self.bytes);
        // SAFETY: the first `len` bytes are initialized, as all of the piece is.
        unsafe { Bytes::from_controller(Box::new(self), len) }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        arena().give_back(self.start, self.bytes);
    }
}

impl AllocationController for Piece {
    /// Returns an alignment that Burn can also give to a copy. With debug assertions it refuses to copy
    /// memory that claims more.
    fn alloc_align(&self) -> usize {
        align_of::<u128>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    unsafe fn memory_mut(
        &mut self,
        _policy: AccessPolicy,
    ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        // SAFETY: as in `as_mut_slice`; the caller writes initialized bytes only.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.bytes) })
    }

    fn memory(&self, _policy: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        // SAFETY: the piece is of this length and owned, and lives as long as the reference.
        Ok(unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.bytes) })
    }
}

/// The chunks and their free parts.
#[derive(Default)]
struct Arena {
    /// The chunks by address.
    chunks: BTreeMap<usize, Chunk>,
    /// The length of each free piece by its address. No two of the same chunk are adjacent.
    free: BTreeMap<usize, usize>,
    /// The free pieces as (length, address), to find the smallest that is large enough.
    by_length: BTreeSet<(usize, usize)>,
}

struct Chunk {
    /// Pointers to pieces are derived from this one, not from addresses, to keep its provenance.
    start: NonNull<u8>,
    bytes: usize,
    /// The mapping that contains the chunk; it is unmapped when dropped.
    _map: MmapMut,
}

// SAFETY: chunks are memory that the arena owns, behind its lock.
unsafe impl Send for Chunk {}

impl Chunk {
    /// Maps at least `bytes` zero bytes, which take no memory until they are touched. They do not come
    /// from the program's allocator, which may put other data into the large page around a chunk.
    fn new(bytes: usize) -> Self {
        let bytes = bytes.max(CHUNK).next_multiple_of(CHUNK_ALIGN);
        let Ok(mut map) = MmapMut::map_anon(bytes + CHUNK_ALIGN) else {
            handle_alloc_error(Layout::from_size_align(bytes, ALIGN).unwrap_or(Layout::new::<u8>()))
        };
        let skipped = map.as_ptr().align_offset(CHUNK_ALIGN).min(CHUNK_ALIGN);
        // Large pages cause fewer page faults and TLB misses. This is only advice, so errors do not
        // matter.
        #[cfg(all(target_os = "linux", not(miri)))]
        let _ = map.advise_range(memmap2::Advice::HugePage, skipped, bytes);
        let start = NonNull::from(&mut map[skipped..]).cast();
        Self {
            start,
            bytes,
            _map: map,
        }
    }
}

impl Arena {
    fn take(&mut self, bytes: usize) -> NonNull<u8> {
        let found = self.by_length.range((bytes, 0)..).next().copied();
        let (length, address) = found.unwrap_or_else(|| self.grow(bytes));
        self.remove_free(address, length);
        if length > bytes {
            self.insert_free(address + bytes, length - bytes);
        }
        self.pointer(address)
    }

    fn give_back(&mut self, start: NonNull<u8>, bytes: usize) {
        let (mut address, mut length) = (start.as_ptr() as usize, bytes);
        let chunk = self.chunk_of(address);
        let chunk = chunk.map_or(address..address, |(start, chunk)| {
            start..start + chunk.bytes
        });
        let before = self.free.range(..address).next_back();
        if let Some((&other, &other_length)) = before
            && other + other_length == address
            && other >= chunk.start
        {
            self.remove_free(other, other_length);
            (address, length) = (other, length + other_length);
        }
        let end = address + length;
        if end < chunk.end
            && let Some(&other_length) = self.free.get(&end)
        {
            self.remove_free(end, other_length);
            length += other_length;
        }
        self.insert_free(address, length);
    }

    /// Adds a free chunk with room for `bytes` and returns its length and address.
    fn grow(&mut self, bytes: usize) -> (usize, usize) {
        let chunk = Chunk::new(bytes);
        let (address, bytes) = (chunk.start.as_ptr() as usize, chunk.bytes);
        self.chunks.insert(address, chunk);
        self.insert_free(address, bytes);
        (bytes, address)
    }

    fn release(&mut self) {
        let unused = |address: &usize, chunk: &Chunk| self.free.get(address) == Some(&chunk.bytes);
        let unused = self.chunks.iter().filter(|(a, c)| unused(a, c));
        let unused: Vec<_> = unused.map(|(&address, c)| (address, c.bytes)).collect();
        for (address, bytes) in unused {
            self.remove_free(address, bytes);
            self.chunks.remove(&address);
        }
    }

    fn insert_free(&mut self, address: usize, length: usize) {
        self.free.insert(address, length);
        self.by_length.insert((length, address));
    }

    fn remove_free(&mut self, address: usize, length: usize) {
        self.free.remove(&address);
        self.by_length.remove(&(length, address));
    }

    /// Finds the chunk that contains this address, and its start address.
    fn chunk_of(&self, address: usize) -> Option<(usize, &Chunk)> {
        let chunk = self.chunks.range(..=address).next_back();
        chunk.map(|(&start, chunk)| (start, chunk))
    }

    fn pointer(&self, address: usize) -> NonNull<u8> {
        match self.chunk_of(address) {
            // SAFETY: the address is inside this chunk, so the offset is too.
            Some((start, chunk)) => unsafe { chunk.start.add(address - start) },
            None => NonNull::dangling(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_whole(arena: &Arena) -> bool {
        let free: usize = arena.free.values().sum();
        let all: usize = arena.chunks.values().map(|chunk| chunk.bytes).sum();
        free == all && arena.free.len() == arena.chunks.len()
    }

    #[test]
    fn neighbors_are_joined_and_memory_is_used_again() {
        let mut arena = Arena::default();
        let sizes = [64, 640, 128, 6400, 64, 3200];
        let mut pieces: Vec<_> = sizes.iter().map(|&size| (arena.take(size), size)).collect();
        assert_eq!(arena.chunks.len(), 1);
        for (index, (piece, size)) in pieces.iter().enumerate() {
            for (other, other_size) in &pieces[..index] {
                let (a, b) = (piece.as_ptr() as usize, other.as_ptr() as usize);
                assert!(a + size <= b || b + other_size <= a, "two pieces overlap");
            }
        }
        for index in [1, 3, 0, 1, 1, 0] {
            let (piece, size) = pieces.remove(index);
            arena.give_back(piece, size);
        }
        assert!(is_whole(&arena));
        let large = arena.take(CHUNK + 64);
        assert_eq!(arena.chunks.len(), 2);
        arena.give_back(large, CHUNK + 64);
        arena.release();
        assert!(arena.chunks.is_empty() && arena.free.is_empty() && arena.by_length.is_empty());
    }

    #[test]
    fn a_chunk_in_use_is_not_released() {
        let mut arena = Arena::default();
        let piece = arena.take(64);
        arena.release();
        assert_eq!(arena.chunks.len(), 1);
        arena.give_back(piece, 64);
        arena.release();
        assert!(arena.chunks.is_empty());
    }

    #[test]
    fn pieces_hold_what_is_written_and_bytes_read_it() {
        let mut first = Piece::new(100);
        let mut second = Piece::new(100);
        first.as_mut_slice()[..100].fill(1.0);
        second.as_mut_slice()[..100].fill(2.0);
        let (first, second) = (first.into_bytes(100), second.into_bytes(100));
        assert_eq!(first.len(), 400);
        let elements = |bytes: &Bytes| bytes.chunks(4).map(|b| b[3]).collect::<Vec<_>>();
        assert_ne!(elements(&first), elements(&second));
        let mut copy = first.clone();
        copy.copy_from_slice(&second);
        assert_eq!(elements(&copy), elements(&second));
        assert_ne!(elements(&first), elements(&second));
    }

    #[test]
    fn threads_take_and_give_back() {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for round in 0..50 {
                        let len = 1 + (thread * 977 + round * 131) % 3000;
                        let mut piece = Piece::new(len);
                        let value = (thread * 1000 + round) as f32;
                        piece.as_mut_slice().fill(value);
                        std::thread::yield_now();
                        assert!(piece.as_mut_slice().iter().all(|&found| found == value));
                    }
                });
            }
        });
    }
}
