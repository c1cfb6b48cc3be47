// What a card does to a frame before and after the network: from the capture format to the network's input, and from
// logits to 8-bit probabilities and doubt.
//
// One source, two compilers. NVRTC makes PTX of it for cards (`--fmad=false`, so that a product and a sum stay two
// roundings), and a C++ compiler makes the same functions for the CPU (`host.h` stands in for CUDA's words,
// `-ffp-contract=off`), where tests compare each with its Rust twin. So: a thread is a pixel, there is no shared memory,
// nothing is included, and every number is made by operations that IEEE 754 rounds correctly. Then the twins agree
// to the last bit.
//
// A batch is the third axis of the grid: picture `blockIdx.z` of it has its own place in every array. What differs from
// frame to frame (addresses, sizes, regions) lies in memory and not in the arguments, so that a captured graph stays true.
//
// Not here: launching them (`flow/`), the twins (engines/tests/kernels/), painting (`paint.cu`).

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

// The order is that of `SourceFormat::code`.
enum Format { I420, NV12, YUY2, UYVY, BGRX, RGBA, RGB, V210 };

// A frame in memory that the kernels can read, and the part of it that is meant.
struct Picture {
  const u8 *planes[3];
  u32 strides[3]; // bytes
  u32 format;
  u32 x, y, width, height; // pixels
  float offset, luma_steps, chroma_steps, red_v, green_u, green_v, blue_u; // polyp::colour::Coefficients
};

// Where the picture goes: a square of `side`, of which a part is filled.
struct Target {
  u32 side;
  u32 x, y, width, height; // pixels
};

// One axis of a plane: samples `first..first + read` may be used, of which `length` from `start` on are meant.
struct Span {
  int first, read;
  float start, length;
};

__device__ static inline Span span_of(u32 start, u32 length, u32 shift) {
  u32 first = start >> shift, end = (start + length + (1u << shift) - 1) >> shift;
  float scale = (float)(1u << shift);
  Span span;
  span.first = (int)first;
  span.read = (int)(end - first);
  span.start = (float)start / scale - (float)first;
  span.length = (float)length / scale;
  return span;
}

// The triangle filter at one output place.
struct Filter {
  int from, to; // samples of the span, `to` included
  float centre, radius;
};

__device__ static inline Filter filter_of(Span span, u32 place, u32 places) {
  Filter filter;
  float scale = span.length / (float)places;
  filter.radius = scale > 1.0f ? scale : 1.0f;
  filter.centre = span.start + ((float)place + 0.5f) * scale;
  int from = (int)(filter.centre - filter.radius), to = (int)(filter.centre + filter.radius);
  filter.from = from > 0 ? from : 0;
  filter.to = to < span.read - 1 ? to : span.read - 1;
  return filter;
}

__device__ static inline float weight_of(Filter filter, int sample) {
  float away = (float)sample + 0.5f - filter.centre;
  float weight = 1.0f - (away < 0.0f ? -away : away) / filter.radius;
  return weight > 0.0f ? weight : 0.0f;
}

// How far chroma is halved, as shifts across and down.
__device__ static inline u32 shift_x(u32 format) { return format <= UYVY || format == V210 ? 1 : 0; }
__device__ static inline u32 shift_y(u32 format) { return format <= NV12 ? 1 : 0; }
__device__ static inline bool is_yuv(u32 format) { return format <= UYVY || format == V210; }

// Six pixels in four little-endian words of three 10-bit samples: U0 Y0 V0 | Y1 U2 Y2 | V2 Y3 U4 | Y4 V4 Y5.
__device__ static inline float v210_sample(const u8 *row, u32 index) {
  const u8 *word = row + index / 3 * 4;
  u32 bits = (u32)word[0] | (u32)word[1] << 8 | (u32)word[2] << 16 | (u32)word[3] << 24;
  return (float)(bits >> (10 * (index % 3)) & 1023) * 0.25f;
}

// Sample (x, y) of a component (luma, U, V or red, green, blue), 0 to 255.
__device__ static inline float sample_of(const Picture &picture, u32 component, int x, int y) {
  u32 format = picture.format;
  u32 plane = format == I420 ? component : format == NV12 ? (component > 0 ? 1 : 0) : 0;
  const u8 *row = picture.planes[plane] + (unsigned long long)y * picture.strides[plane];
  switch (format) {
    case I420: return (float)row[x];
    case NV12: return (float)(component == 0 ? row[x] : row[2 * x + component - 1]);
    case YUY2: return (float)(component == 0 ? row[2 * x] : row[4 * x + 2 * component - 1]);
    case UYVY: return (float)(component == 0 ? row[2 * x + 1] : row[4 * x + 2 * component - 2]);
    case V210: return v210_sample(row, component == 0 ? 2 * x + 1 : 4 * x + 2 * component - 2);
    case BGRX: return (float)row[4 * x + 2 - component];
    case RGBA: return (float)row[4 * x + component];
    default: return (float)row[3 * x + component];
  }
}

// The component at one place of the target.
__device__ static float shrunk(const Picture &picture, Target target, u32 component, u32 column, u32 row) {
  bool halved = component > 0;
  Span across = span_of(picture.x, picture.width, halved ? shift_x(picture.format) : 0);
  Span down = span_of(picture.y, picture.height, halved ? shift_y(picture.format) : 0);
  Filter fx = filter_of(across, column, target.width), fy = filter_of(down, row, target.height);
  float total = 0.0f, weights = 0.0f;
  for (int y = fy.from; y <= fy.to; y++) {
    float along = 0.0f, along_weights = 0.0f;
    for (int x = fx.from; x <= fx.to; x++) {
      float weight = weight_of(fx, x);
      along = along + weight * sample_of(picture, component, across.first + x, down.first + y);
      along_weights = along_weights + weight;
    }
    float weight = weight_of(fy, y);
    total = total + weight * (along / along_weights);
    weights = weights + weight;
  }
  return total / weights;
}

__device__ static inline u8 byte_of(float value) {
  float clipped = value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value;
  return (u8)(clipped + 0.5f);
}

// The small pictures in planes red, green, blue: `rgb` [batch, 3, side, side]. Of every row of the target, sum and sum of
// squares of each channel are added to `sums` and `squares` [batch, 3, side], which are 0 before: 32 bits hold those of
// 8192 samples, and whole numbers do not mind the order.
extern "C" __global__ void polyp_shrink(const Picture *pictures, const Target *targets, u8 *rgb, u32 *sums, u32 *squares) {
  const Picture &picture = pictures[blockIdx.z];
  Target target = targets[blockIdx.z];
  u32 x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= target.side || y >= target.side) return;
  u32 area = target.side * target.side, place = y * target.side + x;
  rgb += blockIdx.z * 3 * area;
  sums += blockIdx.z * 3 * target.side;
  squares += blockIdx.z * 3 * target.side;
  u32 column = x - target.x, row = y - target.y; // beyond the width where it is left of it
  if (column >= target.width || row >= target.height) {
    for (u32 channel = 0; channel < 3; channel++) rgb[channel * area + place] = 0;
    return;
  }
  float a = shrunk(picture, target, 0, column, row);
  float b = shrunk(picture, target, 1, column, row);
  float c = shrunk(picture, target, 2, column, row);
  if (is_yuv(picture.format)) {
    float luma = (a - picture.offset) / picture.luma_steps;
    float u = (b - 128.0f) / picture.chroma_steps, v = (c - 128.0f) / picture.chroma_steps;
    a = 255.0f * (luma + picture.red_v * v);
    b = 255.0f * (luma - picture.green_u * u - picture.green_v * v);
    c = 255.0f * (luma + picture.blue_u * u);
  }
  float values[3] = {a, b, c};
  for (u32 channel = 0; channel < 3; channel++) {
    u8 byte = byte_of(values[channel]);
    rgb[channel * area + place] = byte;
    atomicAdd(&sums[channel * target.side + y], (u32)byte);
    atomicAdd(&squares[channel * target.side + y], (u32)byte * (u32)byte);
  }
}

// Mean and 1 / deviation of each channel, `moments` [batch, 3, 2], from the rows' sums; a thread is a channel.
extern "C" __global__ void polyp_moments(const Target *targets, const u32 *sums, const u32 *squares, float *moments) {
  Target target = targets[blockIdx.z];
  u32 channel = blockIdx.x * blockDim.x + threadIdx.x;
  if (channel >= 3) return;
  sums += blockIdx.z * 3 * target.side;
  squares += blockIdx.z * 3 * target.side;
  moments += blockIdx.z * 6;
  unsigned long long sum = 0, square = 0;
  for (u32 row = 0; row < target.side; row++) {
    sum += sums[channel * target.side + row];
    square += squares[channel * target.side + row];
  }
  double count = (double)((unsigned long long)target.width * target.height);
  double mean = (double)sum / count;
  double variance = (double)square / count - mean * mean;
  float deviation = (float)sqrt(variance > 0.0 ? variance : 0.0);
  moments[2 * channel] = (float)mean;
  moments[2 * channel + 1] = 1.0f / (deviation > 1e-6f ? deviation : 1e-6f);
}

// The half-precision number nearest to a float, ties to even, as its bits.
__device__ static inline u16 half_bits(float value) {
  u32 bits = float_bits(value);
  u32 sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return (u16)(sign | 0x7e00);
  if (magnitude >= 0x47800000) return (u16)(sign | 0x7c00);
  if (magnitude < 0x38800000) {
    // Below the smallest normal half: whole steps of 2^-24.
    u32 exponent = magnitude >> 23;
    if (exponent < 102) return (u16)sign;
    u32 mantissa = (magnitude & 0x7fffff) | 0x800000, shift = 126 - exponent;
    u32 whole = mantissa >> shift, rest = mantissa & ((1u << shift) - 1), middle = 1u << (shift - 1);
    if (rest > middle || (rest == middle && (whole & 1))) whole++;
    return (u16)(sign | whole);
  }
  u32 rounded = magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1);
  return (u16)(sign | rounded >> 13);
}

__device__ static inline float half_value(u16 half) {
  u32 sign = (u32)(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 1023;
  if (exponent == 0) {
    float value = (float)mantissa * 5.9604644775390625e-8f; // 2^-24
    return sign ? -value : value;
  }
  return bits_float(sign | (exponent == 31 ? 0x7f800000 : (exponent + 112) << 23) | mantissa << 13);
}

// (sample - mean) * scale of each channel, `moments` [3, 2]; outside of the target `outside` decides: as inside (1), or 0.
__device__ static inline float normalised(Target target, u32 outside, const u8 *rgb, const float *moments, u32 index) {
  u32 area = target.side * target.side, channel = index / area, place = index % area;
  u32 column = place % target.side - target.x, row = place / target.side - target.y;
  if (!outside && (column >= target.width || row >= target.height)) return 0.0f;
  return ((float)rgb[index] - moments[2 * channel]) * moments[2 * channel + 1];
}

// The network's input, `image` [batch, 3, side, side] in float32.
extern "C" __global__ void polyp_normalise_f32(const Target *targets, u32 outside, const u8 *rgb, const float *moments, float *image) {
  Target target = targets[blockIdx.z];
  u32 index = blockIdx.x * blockDim.x + threadIdx.x, count = 3 * target.side * target.side;
  if (index < count) image[blockIdx.z * count + index] = normalised(target, outside, rgb + blockIdx.z * count, moments + blockIdx.z * 6, index);
}

// The same in float16.
extern "C" __global__ void polyp_normalise_f16(const Target *targets, u32 outside, const u8 *rgb, const float *moments, u16 *image) {
  Target target = targets[blockIdx.z];
  u32 index = blockIdx.x * blockDim.x + threadIdx.x, count = 3 * target.side * target.side;
  if (index < count) image[blockIdx.z * count + index] = half_bits(normalised(target, outside, rgb + blockIdx.z * count, moments + blockIdx.z * 6, index));
}

// What a logit is: the number of `steps` [255] (rising; polyp::decode::Decoder::steps) that it reaches is its calibrated
// probability as a byte, and `doubts` [256] has that byte's doubt. A logit that is not finite leaves its place in its
// picture in `wrong` [batch], the smallest of them, which is 0xffffffff before.
__device__ static inline void decoded(float logit, u32 count, u32 place, const float *steps, const u8 *doubts, u8 *probability, u8 *doubt, u32 *wrong) {
  if ((float_bits(logit) & 0x7f800000) == 0x7f800000) {
    atomicMin(wrong + blockIdx.z, place);
    return;
  }
  u32 index = blockIdx.z * count + place;
  u32 from = 0, to = 255;
  while (from < to) {
    u32 middle = (from + to) / 2;
    if (logit >= steps[middle]) from = middle + 1; else to = middle;
  }
  probability[index] = (u8)from;
  doubt[index] = doubts[from];
}

// `count` logits a picture, [batch, 1, side, side].
extern "C" __global__ void polyp_decode_f32(u32 count, const float *logits, const float *steps, const u8 *doubts, u8 *probability, u8 *doubt, u32 *wrong) {
  u32 index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index < count) decoded(logits[blockIdx.z * count + index], count, index, steps, doubts, probability, doubt, wrong);
}

extern "C" __global__ void polyp_decode_f16(u32 count, const u16 *logits, const float *steps, const u8 *doubts, u8 *probability, u8 *doubt, u32 *wrong) {
  u32 index = blockIdx.x * blockDim.x + threadIdx.x;
  if (index < count) decoded(half_value(logits[blockIdx.z * count + index]), count, index, steps, doubts, probability, doubt, wrong);
}
