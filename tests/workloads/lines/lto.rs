// SPDX-License-Identifier: GPL-2.0-or-later
// What the standard library allocates is its caller's, whatever is inlined where, and what a trait
// of ours does for a type of the library is ours.
trait Twice { fn twice(&self) -> Self; }
impl Twice for Vec<u8> {
    #[inline(never)]
    fn twice(&self) -> Self {
        Vec::with_capacity(2 * self.capacity()) // 100 blocks of 10000 bytes
    }
}

fn vector() -> Vec<u8> {
    Vec::with_capacity(5000) // 100 blocks of 5000 bytes
}

fn boxed() -> Box<[u64; 100]> {
    Box::new([7; 100]) // 100 blocks of 800 bytes
}

#[inline(never)]
fn text(i: u64) -> String {
    format!("session {:0200}", i) // 100 blocks
}

fn main() {
    let mut held = Vec::with_capacity(100); // 1 blocks
    for i in 0..100 {
        let first = vector();
        let second = first.twice();
        held.push((first, second, boxed(), text(i)));
    }
    unsafe { std::ptr::read_volatile(&held[99].2[0]) };
    std::process::exit(0);
}
