//! The kernels as the C++ compiler of this machine makes them, called thread by thread.

use std::path::Path;
use std::process::Command;

use libloading::Library;
use polyp::frame::PixelFormat;
use polyp_engine::cuda::arguments::{Picture, Target};
use polyp_engine::cuda::driver::Argument;
use polyp_engine::cuda::kernels::{HOST_OPTIONS, host_source};
use polyp_engine::cuda::paint::{Overlay, Plate, Surface};

/// The kernels in a library.
pub(crate) struct Host {
    library: Library,
}

/// Number `x`, `y`, `z` of the grid's threads.
type Thread = unsafe extern "C" fn(u32, u32, u32);

impl Host {
    /// Compiles and opens them.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (source, library) = (folder.path().join("kernels.cpp"), folder.path().join("kernels.so"));
        std::fs::write(&source, host_source()).unwrap();
        compile(&source, &library);
        // SAFETY: a library of functions without initialisers.
        let library = unsafe { Library::new(&library) }.unwrap();
        Self { library }
    }

    /// Calls `kernel` for every thread of a grid.
    fn each<F>(&self, name: &str, [columns, rows, pictures]: [u32; 3], mut call: impl FnMut(&F)) {
        // SAFETY: the name is a kernel's, and each caller below gives the type that it has in `kernels.cu` or `paint.cu`.
        let kernel = unsafe { self.library.get::<F>(name) }.unwrap();
        // SAFETY: `host.h` declares it so.
        let thread = unsafe { self.library.get::<Thread>("polyp_thread") }.unwrap();
        for z in 0..pictures {
            for y in 0..rows {
                for x in 0..columns {
                    // SAFETY: it only sets three numbers of this thread.
                    unsafe { thread(x, y, z) };
                    call(&kernel);
                }
            }
        }
    }

    /// Runs a kernel on a grid of so many threads, as a driver would: addresses are this machine's.
    ///
    /// # Safety
    /// The arguments are those that the kernel's source asks for.
    pub(crate) unsafe fn launch(&self, name: &str, grid: [u32; 3], arguments: &[Argument<'_>]) {
        use Argument::{Address as A, Number as N, Overlay as O, Plate as P, Surface as S};
        type Four = unsafe extern "C" fn(u64, u64, u64, u64);
        type Five = unsafe extern "C" fn(u64, u64, u64, u64, u64);
        type Normalise = unsafe extern "C" fn(u64, u32, u64, u64, u64);
        type Decode = unsafe extern "C" fn(u32, u64, u64, u64, u64, u64, u64);
        type Sort = unsafe extern "C" fn(Overlay, u64, u64);
        type Paint = unsafe extern "C" fn(Surface, Overlay, u64, u64);
        type Badge = unsafe extern "C" fn(Surface, Plate);
        // SAFETY: addresses and pointers are passed in the same way, and the rest is the caller's promise.
        match *arguments {
            // SAFETY: as above.
            [A(a), A(b), A(c), A(d)] => self.each::<Four>(name, grid, |call| unsafe { call(a, b, c, d) }),
            [A(a), A(b), A(c), A(d), A(e)] => {
                // SAFETY: as above.
                self.each::<Five>(name, grid, |call| unsafe { call(a, b, c, d, e) })
            }
            [A(a), N(b), A(c), A(d), A(e)] => {
                // SAFETY: as above.
                self.each::<Normalise>(name, grid, |call| unsafe { call(a, b, c, d, e) })
            }
            [N(a), A(b), A(c), A(d), A(e), A(f), A(g)] => {
                // SAFETY: as above.
                self.each::<Decode>(name, grid, |call| unsafe { call(a, b, c, d, e, f, g) });
            }
            // SAFETY: as above.
            [O(&o), A(a), A(b)] => self.each::<Sort>(name, grid, |call| unsafe { call(o, a, b) }),
            // SAFETY: as above.
            [S(&s), O(&o), A(a), A(b)] => self.each::<Paint>(name, grid, |call| unsafe { call(s, o, a, b) }),
            // SAFETY: as above.
            [S(&s), P(&p)] => self.each::<Badge>(name, grid, |call| unsafe { call(s, p) }),
            _ => panic!("{name}: no kernel takes {arguments:?}"),
        }
    }

    /// `polyp_shrink`: the small picture `[3, side, side]`, and the sums and sums of squares of its rows.
    pub(crate) fn shrink(&self, picture: Picture, target: Target) -> (Vec<u8>, Vec<u32>, Vec<u32>) {
        let side = target.side as usize;
        let (mut rgb, mut sums, mut squares) =
            (vec![7; 3 * side * side], vec![0; 3 * side], vec![0; 3 * side]);
        let arguments =
            [read(&picture), read(&target), write(&mut rgb), write(&mut sums), write(&mut squares)];
        // A thread too many on either side: the kernels' own bounds count.
        // SAFETY: the picture's planes were checked when it was made, and are the caller's; the rest is as long as the
        // kernel's comment says.
        unsafe { self.launch("polyp_shrink", [target.side + 1, target.side + 1, 1], &arguments) };
        (rgb, sums, squares)
    }

    /// `polyp_moments`: mean and scale of each channel.
    pub(crate) fn moments(&self, target: Target, sums: &[u32], squares: &[u32]) -> Vec<f32> {
        assert_eq!((sums.len(), squares.len()), (3 * target.side as usize, 3 * target.side as usize));
        let mut moments = vec![0.0; 6];
        let arguments = [read(&target), read(sums), read(squares), write(&mut moments)];
        // SAFETY: lengths as asserted and as made.
        unsafe { self.launch("polyp_moments", [4, 1, 1], &arguments) };
        moments
    }

    /// `polyp_normalise_f32`: the network's input.
    pub(crate) fn normalise(&self, target: Target, outside: bool, rgb: &[u8], moments: &[f32]) -> Vec<f32> {
        self.normalised("polyp_normalise_f32", target, outside, rgb, moments)
    }

    /// `polyp_normalise_f16`: the same as the bits of halves.
    pub(crate) fn normalise_half(
        &self,
        target: Target,
        outside: bool,
        rgb: &[u8],
        moments: &[f32],
    ) -> Vec<u16> {
        self.normalised("polyp_normalise_f16", target, outside, rgb, moments)
    }

    fn normalised<T: Copy + Default>(
        &self,
        name: &str,
        target: Target,
        outside: bool,
        rgb: &[u8],
        moments: &[f32],
    ) -> Vec<T> {
        let count = 3 * target.side * target.side;
        assert_eq!((rgb.len(), moments.len()), (count as usize, 6));
        let mut image = vec![T::default(); count as usize];
        let outside = Argument::Number(outside.into());
        let arguments = [read(&target), outside, read(rgb), read(moments), write(&mut image)];
        // SAFETY: lengths as asserted and as made.
        unsafe { self.launch(name, [count + 1, 1, 1], &arguments) };
        image
    }

    /// `polyp_decode_f32`: probabilities, doubts, and the first place that is not finite.
    pub(crate) fn decode(&self, logits: &[f32], steps: &[f32], doubts: &[u8]) -> (Vec<u8>, Vec<u8>, u32) {
        self.decoded("polyp_decode_f32", logits, steps, doubts)
    }

    /// `polyp_decode_f16`: the same of the bits of halves.
    pub(crate) fn decode_half(
        &self,
        logits: &[u16],
        steps: &[f32],
        doubts: &[u8],
    ) -> (Vec<u8>, Vec<u8>, u32) {
        self.decoded("polyp_decode_f16", logits, steps, doubts)
    }

    fn decoded<T>(&self, name: &str, logits: &[T], steps: &[f32], doubts: &[u8]) -> (Vec<u8>, Vec<u8>, u32) {
        assert_eq!((steps.len(), doubts.len()), (255, 256));
        let count = logits.len() as u32;
        let (mut probability, mut doubt, mut wrong) =
            (vec![9; logits.len()], vec![9; logits.len()], [u32::MAX]);
        let tables = [read(logits), read(steps), read(doubts)];
        let results = [write(&mut probability), write(&mut doubt), write(&mut wrong)];
        let arguments = [&[Argument::Number(count)], &tables[..], &results[..]].concat();
        // SAFETY: lengths as asserted and as made.
        unsafe { self.launch(name, [count + 1, 1, 1], &arguments) };
        (probability, doubt, wrong[0])
    }

    /// `polyp_sort`: what is to be done in each gap between the nodes of a mask of `[side, side]`.
    pub(crate) fn sort(&self, overlay: Overlay, probability: &[u8]) -> Vec<u8> {
        let [columns, rows] = overlay.gaps();
        let mut kinds = vec![9; (columns * rows) as usize];
        let arguments = [Argument::Overlay(&overlay), read(probability), write(&mut kinds)];
        // SAFETY: the mask is as large as the caller made the overlay for; the kinds are as many as gaps.
        unsafe { self.launch("polyp_sort", [columns + 1, rows + 1, 1], &arguments) };
        kinds
    }

    /// `polyp_sort`, then `polyp_paint`, on a frame of that format.
    pub(crate) fn paint(&self, format: PixelFormat, surface: Surface, overlay: Overlay, probability: &[u8]) {
        let kinds = self.sort(overlay, probability);
        let [columns, rows] = overlay.blocks(format);
        let by_value = [Argument::Surface(&surface), Argument::Overlay(&overlay)];
        let arguments = [&by_value[..], &[read(probability), read(&kinds[..])]].concat();
        // SAFETY: the surface's planes were checked when it was made, and are the caller's; mask and kinds as in `sort`.
        unsafe { self.launch("polyp_paint", [columns + 1, rows + 1, 1], &arguments) };
    }

    /// `polyp_badge` on a frame of that format.
    pub(crate) fn badge(&self, format: PixelFormat, surface: Surface, plate: Plate) {
        let [columns, rows] = plate.blocks(format);
        let arguments = [Argument::Surface(&surface), Argument::Plate(&plate)];
        // SAFETY: the surface's planes were checked when it was made, and are the caller's.
        unsafe { self.launch("polyp_badge", [columns + 1, rows + 1, 1], &arguments) };
    }
}

/// Something that a kernel reads.
fn read<T: ?Sized>(from: &T) -> Argument<'static> {
    Argument::Address(std::ptr::from_ref(from).cast::<u8>() as u64)
}

/// Something that a kernel writes.
fn write<T>(to: &mut [T]) -> Argument<'static> {
    Argument::Address(to.as_mut_ptr() as u64)
}

/// `make setup` brings g++.
fn compile(source: &Path, library: &Path) {
    let mut command = Command::new("g++");
    command.args(["-std=c++11", "-O2", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror"]).args(HOST_OPTIONS);
    let output = command.arg("-o").arg(library).arg(source).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
