//! A hash table that chosen keys cannot degrade and that never stalls.
//!
//! Keys are hashed by SipHash-1-3 under a secret; rows live in a vector that is sized once, so that
//! no insertion ever moves or rehashes the table, and a removal closes its gap at once.

use serde::Serialize;
use serde::de::DeserializeOwned;
use siphasher::sip::SipHasher13;

use crate::core::state::{Reader, StateError, Writer, sane};
use crate::prefetch;

/// A key, as words to hash.
pub(crate) trait Key: Copy + Eq {
    /// The whole key in three words.
    fn words(&self) -> [u64; 3];
}

/// The secret of a table's hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Secret(pub(crate) u64, pub(crate) u64);

impl Secret {
    /// A keyed hash of `words`. In one place only: there the compiler makes the hash for 24 bytes.
    #[inline(never)]
    pub(crate) fn hash(self, words: [u64; 3]) -> u64 {
        SipHasher13::new_with_keys(self.0, self.1).hash(bytemuck::bytes_of(&words))
    }
}

/// The table is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The part of a key's hash by which it is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyHash(u32);

#[derive(Clone, Copy)]
struct Bucket {
    /// The upper half of the hash: tells most strangers apart and says where a row belongs.
    tag: u32,
    /// Row number plus one; zero is empty.
    row: u32,
}

const EMPTY: Bucket = Bucket { tag: 0, row: 0 };

struct Row<K, V> {
    key: K,
    generation: u32,
    value: Option<V>,
}

/// Rows by key; a row number stays valid until its row is removed, and [`Table::generation`] tells
/// a reused row from the one before.
pub(crate) struct Table<K, V> {
    secret: Secret,
    buckets: Box<[Bucket]>,
    rows: Vec<Row<K, V>>,
    free: Vec<u32>,
    capacity: usize,
}

impl<K: Key, V> Table<K, V> {
    /// An empty table for up to `capacity` rows; all memory is reserved here.
    pub(crate) fn new(capacity: usize, secret: Secret) -> Self {
        let buckets = (capacity.max(4) * 2).next_power_of_two();
        Self {
            secret,
            buckets: vec![EMPTY; buckets].into_boxed_slice(),
            rows: Vec::with_capacity(capacity),
            free: Vec::with_capacity(capacity),
            capacity,
        }
    }

    /// Rows in use.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() - self.free.len()
    }

    /// Row numbers that were ever used are below this.
    pub(crate) fn high_water(&self) -> u32 {
        index32(self.rows.len())
    }

    /// The row of `key`.
    pub(crate) fn find(&self, key: &K) -> Option<u32> {
        self.find_hashed(key, self.hash(key))
    }

    /// As [`Table::find`], of a key whose hash is known already.
    pub(crate) fn find_hashed(&self, key: &K, hash: KeyHash) -> Option<u32> {
        let KeyHash(tag) = hash;
        let mut at = self.home(tag);
        loop {
            let bucket = self.buckets[at];
            if bucket.row == 0 {
                return None;
            }
            if bucket.tag == tag && self.rows[bucket.row as usize - 1].key == *key {
                return Some(bucket.row - 1);
            }
            at = (at + 1) & (self.buckets.len() - 1);
        }
    }

    /// Adds a row; the key must not be in the table yet.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Result<u32, Full> {
        debug_assert!(self.find(&key).is_none(), "a key is inserted once");
        let row = if let Some(row) = self.free.pop() {
            let slot = &mut self.rows[row as usize];
            slot.key = key;
            slot.value = Some(value);
            row
        } else if self.rows.len() < self.capacity {
            self.rows.push(Row {
                key,
                generation: 0,
                value: Some(value),
            });
            index32(self.rows.len() - 1)
        } else {
            return Err(Full);
        };
        self.seat(&key, row);
        Ok(row)
    }

    /// Has a key found in this row.
    fn seat(&mut self, key: &K, row: u32) {
        let KeyHash(tag) = self.hash(key);
        let mut at = self.home(tag);
        while self.buckets[at].row != 0 {
            at = (at + 1) & (self.buckets.len() - 1);
        }
        self.buckets[at] = Bucket { tag, row: row + 1 };
    }

    /// Removes a row.
    pub(crate) fn remove(&mut self, row: u32) -> Option<(K, V)> {
        let slot = self.rows.get_mut(row as usize)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        let key = slot.key;
        self.free.push(row);

        let mask = self.buckets.len() - 1;
        let mut hole = self.home(self.hash(&key).0);
        while self.buckets[hole].row != row + 1 {
            hole = (hole + 1) & mask;
        }
        // Close the gap: pull back each follower whose home is not between the hole and itself.
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let bucket = self.buckets[at];
            if bucket.row == 0 {
                break;
            }
            let home = self.home(bucket.tag);
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.buckets[hole] = bucket;
                hole = at;
            }
        }
        self.buckets[hole] = EMPTY;
        Some((key, value))
    }

    /// The key of a row in use.
    pub(crate) fn key(&self, row: u32) -> Option<&K> {
        let row = self.rows.get(row as usize)?;
        row.value.as_ref().map(|_| &row.key)
    }

    /// The value of a row in use.
    pub(crate) fn get(&self, row: u32) -> Option<&V> {
        self.rows.get(row as usize)?.value.as_ref()
    }

    /// The value of a row in use.
    pub(crate) fn get_mut(&mut self, row: u32) -> Option<&mut V> {
        self.rows.get_mut(row as usize)?.value.as_mut()
    }

    /// Changes each time the row is freed.
    pub(crate) fn generation(&self, row: u32) -> u32 {
        self.rows.get(row as usize).map_or(0, |row| row.generation)
    }

    /// Rows in use with their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &K, &V)> {
        self.rows
            .iter()
            .enumerate()
            .filter_map(|(at, row)| Some((index32(at), &row.key, row.value.as_ref()?)))
    }

    /// What a key is looked for by.
    pub(crate) fn hash(&self, key: &K) -> KeyHash {
        KeyHash((self.secret.hash(key.words()) >> 32) as u32)
    }

    /// A key with this hash will be looked for soon.
    pub(crate) fn prefetch_bucket(&self, hash: KeyHash) {
        prefetch::value(&self.buckets[self.home(hash.0)]);
    }

    /// The row that a key with this hash most likely has: of the first bucket only.
    pub(crate) fn probable_row(&self, hash: KeyHash) -> Option<u32> {
        let bucket = self.buckets[self.home(hash.0)];
        bucket.row.checked_sub(1).filter(|_| bucket.tag == hash.0)
    }

    /// This row will be looked at soon.
    pub(crate) fn prefetch_row(&self, row: u32) {
        if let Some(row) = self.rows.get(row as usize) {
            prefetch::value(row);
        }
    }

    fn home(&self, tag: u32) -> usize {
        tag as usize & (self.buckets.len() - 1)
    }
}

impl<K: Key + Serialize + DeserializeOwned, V: Serialize + DeserializeOwned> Table<K, V> {
    /// Writes all rows, each under its number.
    pub(crate) fn save(&self, out: &mut Writer) {
        let rows = self.rows.iter();
        out.all(rows.map(|row| (row.key, row.generation, &row.value)));
        out.put(&self.free);
    }

    /// Reads rows into a table that has none.
    pub(crate) fn restore(
        &mut self,
        from: &mut Reader<'_>,
        part: &'static str,
    ) -> Result<(), StateError> {
        from.all(
            self.capacity,
            part,
            |(key, generation, value): (K, u32, Option<V>)| {
                let row = self.high_water();
                if value.is_some() {
                    sane(self.find(&key).is_none(), part)?;
                    self.seat(&key, row);
                }
                self.rows.push(Row {
                    key,
                    generation,
                    value,
                });
                Ok(())
            },
        )?;
        let free: Vec<u32> = from.take()?;
        sane(all_free(&free, &self.rows, |row| row.value.is_none()), part)?;
        self.free.extend(free);
        Ok(())
    }
}

/// Whether these are the numbers of all that are free, each once.
pub(crate) fn all_free<T>(free: &[u32], all: &[T], is_free: impl Fn(&T) -> bool) -> bool {
    let mut listed = vec![false; all.len()];
    let once = free.iter().all(|&number| {
        (listed.get_mut(number as usize)).is_some_and(|listed| !std::mem::replace(listed, true))
    });
    once && listed
        .iter()
        .zip(all)
        .all(|(&listed, one)| listed == is_free(one))
}

fn index32(at: usize) -> u32 {
    u32::try_from(at).expect("tables hold fewer than 2^32 rows")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    struct Word(u64);

    impl Key for Word {
        fn words(&self) -> [u64; 3] {
            [self.0, 0, 0]
        }
    }

    proptest! {
        /// Insertions, removals and look-ups agree with a naive twin, also with the table full.
        #[test]
        fn agrees_with_a_hash_map(steps in prop::collection::vec((any::<bool>(), 0_u64..24), 0..400)) {
            let mut table = Table::new(12, Secret(1, 2));
            let mut twin = HashMap::new();
            for (add, number) in steps {
                let key = Word(number);
                match (add, table.find(&key)) {
                    (true, None) => {
                        let added = table.insert(key, number * 3);
                        prop_assert_eq!(added.is_ok(), twin.len() < 12);
                        if added.is_ok() {
                            twin.insert(key, number * 3);
                        }
                    }
                    (false, Some(row)) => {
                        prop_assert_eq!(table.remove(row), Some((key, number * 3)));
                        twin.remove(&key);
                    }
                    _ => {}
                }
                prop_assert_eq!(table.len(), twin.len());
                for number in 0..24 {
                    let found = table.find(&Word(number)).and_then(|row| table.get(row));
                    prop_assert_eq!(found, twin.get(&Word(number)));
                }
            }
        }
    }

    #[test]
    fn a_reused_row_has_another_generation() {
        let mut table = Table::new(2, Secret(7, 7));
        let row = table.insert(Word(1), ()).expect("room");
        let before = table.generation(row);
        table.remove(row);
        let again = table.insert(Word(2), ()).expect("room");
        assert_eq!(row, again);
        assert_ne!(before, table.generation(again));
    }

    impl<K: Key, V> Table<K, V> {
        /// The farthest that a row is from its home: what a look-up costs at worst.
        fn farthest(&self) -> usize {
            let mask = self.buckets.len() - 1;
            (self.buckets.iter().enumerate())
                .filter(|(_, bucket)| bucket.row != 0)
                .map(|(at, bucket)| at.wrapping_sub(bucket.tag as usize) & mask)
                .max()
                .unwrap_or(0)
        }
    }

    /// Keys that all fall into one place under a secret that is known, and keys that differ in few bits:
    /// under another secret both are spread as well as any, with the table full.
    #[test]
    fn chosen_keys_do_not_cluster() {
        const COUNT: usize = 4096;
        let known = Secret(1, 2);
        let home = |secret: Secret, key: u64| secret.hash([key, 0, 0]) >> 32 & 0x1F;
        let chosen: Vec<u64> = (0..)
            .filter(|&key| home(known, key) == 7)
            .take(COUNT)
            .collect();
        let patterns: [Vec<u64>; 3] = [
            chosen,
            (0..COUNT as u64).map(|n| n << 48).collect(),
            (0..COUNT as u64).map(|n| n << 13).collect(),
        ];
        for keys in patterns {
            let mut table = Table::new(COUNT, Secret(0x5EED, 0xF00D));
            for &key in &keys {
                table.insert(Word(key), ()).expect("room");
            }
            assert_eq!(table.insert(Word(u64::MAX), ()), Err(Full));
            // Half full of random places: the worst of 4096 is about 20.
            assert!(table.farthest() < 64, "{}", table.farthest());
            assert!(keys.iter().all(|&key| table.find(&Word(key)).is_some()));
        }
    }
}
