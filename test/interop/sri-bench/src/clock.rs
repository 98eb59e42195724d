use std::{hint::black_box, time::Instant};

pub type Report<'a> = &'a mut dyn FnMut(String, u64);

const SAMPLES: usize = 101;

/// The median time of `run` on one item. A sample is `batch` items that `make` prepared outside the clock;
/// what `run` returns is dropped outside it too.
pub fn median<I, O>(batch: usize, mut make: impl FnMut() -> I, mut run: impl FnMut(I) -> O) -> u64 {
    let mut sample = || {
        let items: Vec<I> = (0..batch).map(|_| make()).collect();
        let mut results = Vec::with_capacity(batch);
        let start = Instant::now();
        for item in items {
            results.push(black_box(run(black_box(item))));
        }
        start.elapsed().as_nanos() as f64 / batch as f64
    };
    sample();
    let mut samples: Vec<f64> = (0..SAMPLES).map(|_| sample()).collect();
    samples.sort_by(f64::total_cmp);
    samples[SAMPLES / 2].round() as u64
}
