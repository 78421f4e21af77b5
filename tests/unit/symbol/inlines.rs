// SPDX-License-Identifier: GPL-2.0-or-later
// Rust's names: impl blocks, traits, generics, closures.
use std::collections::HashMap;

trait Grow {
    fn grow(&mut self, n: usize) -> usize;
}

struct Barn {
    hay: Vec<u64>,
}

impl Barn {
    #[inline(never)]
    fn new(n: usize) -> Self {
        Barn { hay: Vec::with_capacity(n) }
    }
}

impl Grow for Barn {
    #[inline(never)]
    fn grow(&mut self, n: usize) -> usize {
        for i in 0..n {
            self.hay.push(i as u64);
        }
        self.hay.len()
    }
}

#[inline(never)]
fn generic<T: Grow>(thing: &mut T, n: usize) -> usize {
    thing.grow(n) + thing.grow(1)
}

fn main() {
    let n = std::env::args().count();
    let mut barn = Barn::new(n);
    let mut words: HashMap<String, usize> = HashMap::new();
    words.insert("hay".to_string(), generic(&mut barn, n));
    let longest = words.iter().map(|(word, count)| word.len() + count).max();
    println!("{:?}", longest);
}
