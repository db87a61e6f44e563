//! Pairing what stands in two lists, in order, so that what is most alike goes together.

use super::effort::Effort;

/// The most pairs that are weighed against each other; beyond, things are paired by their place.
const PAIRS: usize = 40_000;

/// Something of the first list, of the second, or of both.
pub(super) type Pair = (Option<usize>, Option<usize>);

/// Pairs so that the likenesses add up to the most; what has a likeness of 0 is never paired.
pub(super) fn align(
    (from, to): (usize, usize),
    effort: &mut Effort,
    likeness: impl Fn(usize, usize) -> u32,
) -> Vec<Pair> {
    if from * to > PAIRS || !effort.take((from * to) as u64 * 100) {
        return by_place(from, to, likeness);
    }
    let width = to + 1;
    let weights: Vec<u32> = (0..from * to).map(|at| likeness(at / to, at % to)).collect();
    // best[i * width + j]: the most that the lists from i and from j on come to.
    let mut best = vec![0_u32; (from + 1) * width];
    for i in (0..from).rev() {
        for j in (0..to).rev() {
            let paired = weights[i * to + j] + best[(i + 1) * width + j + 1];
            best[i * width + j] = paired.max(best[(i + 1) * width + j]).max(best[i * width + j + 1]);
        }
    }
    let (mut pairs, mut i, mut j) = (Vec::with_capacity(from.max(to)), 0, 0);
    while i < from && j < to {
        let (weight, here) = (weights[i * to + j], best[i * width + j]);
        if weight > 0 && here == weight + best[(i + 1) * width + j + 1] {
            pairs.push((Some(i), Some(j)));
            (i, j) = (i + 1, j + 1);
        } else if here == best[(i + 1) * width + j] {
            pairs.push((Some(i), None));
            i += 1;
        } else {
            pairs.push((None, Some(j)));
            j += 1;
        }
    }
    pairs.extend((i..from).map(|i| (Some(i), None)));
    pairs.extend((j..to).map(|j| (None, Some(j))));
    pairs
}

fn by_place(from: usize, to: usize, likeness: impl Fn(usize, usize) -> u32) -> Vec<Pair> {
    let mut pairs = Vec::with_capacity(from + to);
    for at in 0..from.max(to) {
        let (old, new) = ((at < from).then_some(at), (at < to).then_some(at));
        match (old, new) {
            (Some(i), Some(j)) if likeness(i, j) == 0 => pairs.extend([(old, None), (None, new)]),
            pair => pairs.push(pair),
        }
    }
    pairs
}
