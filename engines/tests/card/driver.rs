//! NVIDIA's driver behind our seam, with a library in its place that has its functions and runs the kernels on the CPU: the calls, their
//! order and their arguments are the real ones. And every way in which it can refuse, as the tool tells it.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::Ordering;

use polyp::decode::{Decoder, uncertainty_byte};
use polyp::frame::{Colorimetry, Matrix, Range, Rect, Size};
use polyp::input::{Fit, InputSpec, Normalisation};
use polyp::random::Random;
use polyp_engine::cuda::arguments::{DevicePlane, Picture, SourceFormat, Target};
use polyp_engine::cuda::driver::{Argument, Driver as _, Priority, Stream};
use polyp_engine::cuda::engine::CardEngine;
use polyp_engine::cuda::nvidia::{self, Nvidia};
use polyp_engine::engine::{Engine, Precision};

use crate::host::Host;
use crate::network::CpuNetwork;
use crate::stand_in::{RUNS, Streamed, load, stand_in};
use crate::{Still, card, folder, on_cpu, root};

#[test]
fn the_drivers_calls_make_the_same_masks() {
    let Some((_folder, library)) = stand_in() else { return };
    let call = load(&library);
    let folder = folder();
    let driver = nvidia::open(0).unwrap();
    let (network, memory) =
        (CpuNetwork::new(on_cpu(&folder), folder.memory().unwrap()), folder.memory().unwrap());
    let network = Streamed::new(network, call);
    let how = ("stand-in", Precision::F32, 2);
    let mut engine = CardEngine::new(Box::new(driver), Box::new(network), &folder, how).unwrap();
    assert_eq!(engine.card().to_string(), "Stand-in, 8 GiB, compute capability 8.1, driver for CUDA 13.0");
    let (_mock, other) = card(&folder, 2);
    let mut other = other.unwrap();
    let stills = [Still::fixture(0), Still::fixture(4).padded()];
    let spec = folder.manifest().input;
    let mut masks = [&mut engine, &mut other].map(|engine| {
        let frames = engine.frames().unwrap();
        let ring = frames.ring();
        let mut all = Vec::new();
        for steps in [false, true] {
            frames.run_in_steps(steps);
            for count in [1, 2, 1] {
                let batch = stills.iter().take(count).map(|still| still.copied(&ring, spec)).collect();
                frames.submit(batch, &memory).unwrap();
                let mut masks = Vec::new();
                let stages = frames.finish(&mut masks).unwrap();
                assert_eq!(stages.steps.is_some(), steps);
                all.extend(masks.into_iter().map(Result::unwrap));
            }
        }
        all
    });
    assert_eq!(masks[0].len(), 8);
    assert!(masks[0] == masks[1]);
    assert!(masks[0].swap_remove(0).probability.iter().any(|byte| *byte > 127));
    // The graphs run the network too: once while they were recorded would not be enough.
    assert!(RUNS.load(Ordering::Relaxed) >= 6);
    let images = vec![0.25; 3 * 3 * (spec.side_px * spec.side_px) as usize];
    let [mut found, mut expected] = [Vec::new(), Vec::new()];
    engine.infer(&images, 3, &memory, &mut found).unwrap();
    other.infer(&images, 3, &memory, &mut expected).unwrap();
    assert_eq!(found, expected);
}

/// Every kernel through the driver's calls: on a machine with a card, its results are those of the C++ compiler to the last bit.
#[test]
fn kernels_are_the_cpus_to_the_last_bit() {
    let stand_in = stand_in();
    if let Some((_folder, library)) = &stand_in {
        load(library);
    } else {
        println!("with the card of this machine");
    }
    let mut driver = nvidia::open(0).unwrap();
    let stream = driver.stream(Priority::High).unwrap();
    let host = Host::new();
    let mut random = Random::new(&[31]);
    for format in SourceFormat::ALL {
        let size = Size::new(64 + random.below(90) as u32, 48 + random.below(70) as u32);
        let planes: Vec<(Vec<u8>, usize)> = (0..format.planes())
            .map(|plane| {
                let (stride, rows) = format.plane_extent(plane, size);
                ((0..stride * rows).map(|_| (random.bits() >> 56) as u8).collect(), stride)
            })
            .collect();
        let colorimetry = Colorimetry { matrix: Matrix::Bt709, range: Range::Limited };
        let placement =
            InputSpec { side_px: 32, fit: Fit::Letterbox, normalisation: Normalisation::ZScorePerImage }
                .place(Rect::whole(size));
        let target = Target::from(placement);
        let picture = |places: &[u64]| {
            let planes: Vec<DevicePlane> = places
                .iter()
                .zip(&planes)
                .map(|(address, (bytes, stride))| DevicePlane {
                    address: *address,
                    bytes: bytes.len(),
                    stride: *stride,
                })
                .collect();
            Picture::new(format, size, colorimetry, &planes, placement.source).unwrap()
        };
        let own: Vec<u64> = planes.iter().map(|(bytes, _)| bytes.as_ptr() as u64).collect();
        let (rgb, sums, squares) = host.shrink(picture(&own), target);
        let moments = host.moments(target, &sums, &squares);
        let image = host.normalise(target, false, &rgb, &moments);

        let mut card = OnCard { driver: &mut driver, stream };
        let places: Vec<u64> = planes.iter().map(|(bytes, _)| card.put(bytes)).collect();
        let (pictures, targets) = (card.put(&picture(&places).to_bytes()), card.put(&target.to_bytes()));
        let [rgb_at, sums_at, squares_at, moments_at, image_at] =
            [3 * 1024, 12 * 32, 12 * 32, 24, 12 * 1024].map(|bytes| card.put(&vec![0; bytes]));
        let at = Argument::Address;
        card.launch(
            "polyp_shrink",
            [2, 2, 1],
            [16, 16, 1],
            &[at(pictures), at(targets), at(rgb_at), at(sums_at), at(squares_at)],
        );
        card.launch(
            "polyp_moments",
            [1, 1, 1],
            [32, 1, 1],
            &[at(targets), at(sums_at), at(squares_at), at(moments_at)],
        );
        let arguments = [at(targets), Argument::Number(0), at(rgb_at), at(moments_at), at(image_at)];
        card.launch("polyp_normalise_f32", [12, 1, 1], [256, 1, 1], &arguments);
        assert!(card.get(rgb_at, rgb.len()) == rgb, "{format:?}");
        assert!(card.get(image_at, 4 * image.len()) == bytes(&image), "{format:?}");
    }
    let decoder = Decoder::new(1.7).unwrap();
    let (steps, doubts) = (decoder.steps(), (0..=255).map(uncertainty_byte).collect::<Vec<u8>>());
    let mut logits: Vec<f32> = (0..4096).map(|_| (random.unit() - 0.5) * 30.0).collect();
    logits[77] = f32::NAN;
    let (probability, doubt, wrong) = host.decode(&logits, &steps, &doubts);
    let mut card = OnCard { driver: &mut driver, stream };
    let read = [card.put(&bytes(&logits)), card.put(&bytes(&steps)), card.put(&doubts)];
    let wrote = [card.put(&[9; 4096]), card.put(&[9; 4096]), card.put(&[255; 4])];
    let arguments: Vec<Argument<'_>> = [Argument::Number(4096)]
        .into_iter()
        .chain(read.into_iter().chain(wrote).map(Argument::Address))
        .collect();
    card.launch("polyp_decode_f32", [16, 1, 1], [256, 1, 1], &arguments);
    assert!(card.get(wrote[0], 4096) == probability && card.get(wrote[1], 4096) == doubt);
    assert_eq!((card.get(wrote[2], 4), wrong), (77_u32.to_le_bytes().to_vec(), 77));
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// A card's memory, one copy and one launch at a time.
struct OnCard<'a> {
    driver: &'a mut Nvidia,
    stream: Stream,
}

impl OnCard<'_> {
    fn put(&mut self, bytes: &[u8]) -> u64 {
        let place = self.driver.allocate(bytes.len()).unwrap();
        let mut pinned = self.driver.pinned()(bytes.len()).unwrap();
        pinned.bytes_mut().copy_from_slice(bytes);
        // SAFETY: both are that long, and `pinned` lives until the stream has settled.
        unsafe { self.driver.upload(pinned.start(), place, bytes.len(), self.stream) }.unwrap();
        self.settle();
        place
    }

    fn get(&mut self, place: u64, bytes: usize) -> Vec<u8> {
        let mut pinned = self.driver.pinned()(bytes).unwrap();
        // SAFETY: as above.
        unsafe { self.driver.download(place, pinned.bytes_mut().as_mut_ptr(), bytes, self.stream) }.unwrap();
        self.settle();
        pinned.bytes().to_vec()
    }

    fn launch(
        &mut self,
        kernel: &'static str,
        blocks: [u32; 3],
        threads: [u32; 3],
        arguments: &[Argument<'_>],
    ) {
        // SAFETY: the callers give what `kernels.cu` asks for.
        unsafe { self.driver.launch(kernel, blocks, threads, arguments, self.stream) }.unwrap();
    }

    fn settle(&mut self) {
        let event = self.driver.event().unwrap();
        self.driver.record(event, self.stream).unwrap();
        self.driver.synchronise(event).unwrap();
    }
}

/// The tool's last words with a card that has that wrong with it.
fn refused(library: Option<&Path>, wrong: &str) -> String {
    let engine = root().join("engines/store/lite");
    let mut command = Command::new(env!("CARGO_BIN_EXE_polyp-engine"));
    command
        .args(["bench", "--backend", "tensorrt-rtx", "--engine"])
        .arg(engine)
        .env("POLYP_TEST_CARD", wrong);
    let cache = tempfile::tempdir().unwrap();
    command.env("XDG_CACHE_HOME", cache.path());
    if let Some(library) = library {
        command.env("LD_LIBRARY_PATH", library.parent().unwrap());
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{wrong}: {said}");
    assert!(output.stdout.is_empty(), "{wrong}");
    said
}

#[cfg(feature = "tensorrt-rtx")]
#[test]
fn a_machine_without_a_usable_card_is_told_what_is_missing() {
    let Some((_folder, library)) = stand_in() else { return };
    let said = refused(None, "");
    assert!(
        said.contains("card, opening: expected NVIDIA's driver, found no libcuda.so.1; install the driver"),
        "{said}"
    );
    for (wrong, sentence) in [
        ("none", "found none (no CUDA-capable device is detected)"),
        ("missing", "found none (number 0 was asked for, and 0 are there)"),
        (
            "old-driver",
            "expected a driver for CUDA 12.4 or later, found one for 11.8; install a newer driver",
        ),
        ("old-card", "expected a card of compute capability 7.5 or later, found Stand-in of 6.1"),
        ("busy", "found none (something else)"),
        // These get as far as the driver's own refusals, after the plan was made.
        ("picky", "cuModuleLoadDataEx failed: a PTX JIT compilation failed: ptxas fatal: unsupported"),
    ] {
        let said = refused(Some(&library), wrong);
        assert!(said.contains("card, opening: ") && said.contains(sentence), "{wrong}: {said}");
    }
    // With a card that works as far as ours go, the library itself finds that there is none, and says so.
    let said = refused(Some(&library), "");
    assert!(said.contains("model.plan: Runtime error: Failed to deserialize engine"), "{said}");
}

#[cfg(not(feature = "tensorrt-rtx"))]
#[test]
fn a_program_without_the_backend_says_so() {
    assert!(refused(None, "").contains("built without the feature `tensorrt-rtx`"));
}
