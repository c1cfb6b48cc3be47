// Painting on a frame that lies in a card's memory: the overlay and the badge, as src/overlay/ paints them on a CPU, to the
// last bit. Every expression stands here as it stands there (`field.rs`, `recipe.rs`, `measures.rs`, `sheet.rs`,
// `blend.rs`), in the same order, because a sum in another order is another number.
//
// A thread is the block of pixels that share a chroma sample (2 x 2 pixels, 2 x 1 or one), so that no byte has two
// writers. Where nothing is drawn nothing is written. Comes after `kernels.cu`, whose names it uses.
//
// Not here: what a style paints, in numbers (polyp::overlay), and the arguments' making (`paint.rs`).

#define STROKES 16
#define STOPS 15
#define LAYERS 3
#define DOT_ROWS 13
#define DOT_WORDS 4

// A frame in memory that the kernels may paint on; never V210.
struct Surface {
  u8 *planes[3];
  u32 strides[3]; // bytes
  u32 format;
  u32 width, height; // pixels
};

// The layers' colours as the frame holds them.
struct Pens {
  u8 samples[LAYERS][3];
};

// A line along a level: `edge` is half of its width and half a pixel, `full` its coverage where it is whole.
struct Stroke {
  float level, edge, full;
};

// The order is that of polyp::overlay::Tint and polyp::overlay::Kind.
enum Tint { NO_TINT, INSIDE, DOUBT };
enum Kind { EMPTY, SOLID, FIELD };

// What a style paints with one mask on one frame.
struct Overlay {
  u32 x, y, width, height;                   // the part of the frame that the mask is of, pixels
  u32 side, left, top, columns, rows;        // the mask's side, and the part of it that counts, nodes
  u32 reach_across, reach_down;              // polyp::overlay::Measures from here on
  float across, down, flat;
  u32 hatching_px, dash_px;                  // dash_px is 0 where lines are whole
  float half_dash_px;
  u32 tint;                                  // polyp::overlay::Recipe from here on
  float low, high, strength;
  u32 strokes;
  Stroke stroke[STROKES];                    // the first is the seam: without one, its `full` is 0
  u32 stops;
  u8 stop[STOPS], between[STOPS + 1], solid; // `between` is a Kind for every number of stops passed
  Pens pens;
};

// A badge: dots of `unit_px` pixels, `columns` in a row, the lowest bit of the first word leftmost.
struct Plate {
  u32 left, top, unit_px, columns; // pixels, dots
  u32 shape[DOT_ROWS][DOT_WORDS], words[DOT_ROWS][DOT_WORDS];
  u8 ground;
  Pens pens;
};

// How much each layer covers of the pixels of a block, 0 to 255; those of an upper row first.
struct Coverage {
  u8 layers[LAYERS][4];
};

// ---- blending ----------------------------------------------------------------------------------------------------

__device__ static inline void blend(u8 *byte, u8 pen, u8 coverage) {
  if (coverage == 0) return;
  u32 sum = (u32)*byte * (255u - coverage) + (u32)pen * coverage + 128u;
  *byte = (u8)((sum + (sum >> 8)) >> 8); // (sum - 128) / 255, rounded
}

__device__ static inline u8 *row_of(const Surface &surface, u32 plane, u32 y) {
  return surface.planes[plane] + (unsigned long long)y * surface.strides[plane];
}

// Mixes the pens into the block whose first pixel is (x, y). What lies beyond the frame is not touched; an odd frame's
// last chroma sample counts its only column, or row, twice.
__device__ static inline void mix(const Surface &surface, const Pens &pens, u32 x, u32 y, Coverage coverage) {
  u32 format = surface.format, wide = 1u << shift_x(format), high = 1u << shift_y(format);
  u32 last_x = surface.width - 1 - x, last_y = surface.height - 1 - y; // within the block
  for (u32 layer = 0; layer < LAYERS; layer++) {
    const u8 *pen = pens.samples[layer];
    u32 sum = 0;
    for (u32 i = 0; i < 4; i++) {
      u32 across = i % 2 % wide, down = i / 2 % high;
      across = across < last_x ? across : last_x;
      down = down < last_y ? down : last_y;
      u8 covered = coverage.layers[layer][2 * down + across];
      sum += covered;
      if (2 * down + across != i) continue; // that pixel has had its turn
      u8 *row = row_of(surface, 0, y + down);
      u32 column = x + across;
      switch (format) {
        case I420: case NV12: blend(row + column, pen[0], covered); break;
        case YUY2: blend(row + 2 * column, pen[0], covered); break;
        case UYVY: blend(row + 2 * column + 1, pen[0], covered); break;
        default:
          for (u32 part = 0; part < 3; part++) {
            u32 place = format == BGRX ? 4 * column + 2 - part : (format == RGBA ? 4 : 3) * column + part;
            blend(row + place, pen[part], covered);
          }
      }
    }
    if (!is_yuv(format)) continue;
    u8 mean = (u8)((sum + 2) / 4);
    for (u32 part = 1; part < 3; part++) {
      u8 *sample;
      switch (format) {
        case I420: sample = row_of(surface, part, y / 2) + x / 2; break;
        case NV12: sample = row_of(surface, 1, y / 2) + x + part - 1; break;
        case YUY2: sample = row_of(surface, 0, y) + 2 * x + 2 * part - 1; break;
        default: sample = row_of(surface, 0, y) + 2 * x + 2 * part - 2;
      }
      blend(sample, pen[part], mean);
    }
  }
}

// The first pixel of this thread's block, counted from the block of pixel (x, y).
__device__ static inline void block_of(u32 format, u32 *x, u32 *y) {
  *x = ((*x >> shift_x(format)) + blockIdx.x * blockDim.x + threadIdx.x) << shift_x(format);
  *y = ((*y >> shift_y(format)) + blockIdx.y * blockDim.y + threadIdx.y) << shift_y(format);
}

// ---- the grid ----------------------------------------------------------------------------------------------------

// The byte of a node; beyond the outermost, the outermost.
__device__ static inline u8 node_byte(const Overlay &overlay, const u8 *probability, int column, int row) {
  int last_column = (int)overlay.columns - 1, last_row = (int)overlay.rows - 1;
  column = column < 0 ? 0 : column > last_column ? last_column : column;
  row = row < 0 ? 0 : row > last_row ? last_row : row;
  return probability[(overlay.top + row) * overlay.side + overlay.left + column];
}

__device__ static inline u32 passed(const Overlay &overlay, u8 byte) {
  u32 count = 0;
  for (u32 i = 0; i < overlay.stops; i++) count += byte >= overlay.stop[i];
  return count;
}

// The gaps of a row of that many nodes.
__device__ static inline u32 gaps_of(u32 nodes) { return nodes > 1 ? nodes - 1 : 1; }

// What is to be done in each gap, `kinds` [gaps down, gaps across]; a thread is a gap. On a CPU every gap is sorted by
// its four corners and then FIELD is spread over `reach`. Here all corners within reach are looked at: where two of them
// differ, so do two neighbours, and the gap between those is FIELD.
extern "C" __global__ void polyp_sort(Overlay overlay, const u8 *probability, u8 *kinds) {
  u32 x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= gaps_of(overlay.columns) || y >= gaps_of(overlay.rows)) return;
  int from_x = (int)x - (int)overlay.reach_across, to_x = (int)x + 1 + (int)overlay.reach_across;
  int from_y = (int)y - (int)overlay.reach_down, to_y = (int)y + 1 + (int)overlay.reach_down;
  int last_x = (int)overlay.columns - 1, last_y = (int)overlay.rows - 1;
  from_x = from_x > 0 ? from_x : 0;
  from_y = from_y > 0 ? from_y : 0;
  to_x = to_x < last_x ? to_x : last_x;
  to_y = to_y < last_y ? to_y : last_y;
  u32 here = passed(overlay, node_byte(overlay, probability, (int)x, (int)y));
  bool alike = true;
  for (int row = from_y; alike && row <= to_y; row++) {
    for (int column = from_x; alike && column <= to_x; column++) {
      alike = passed(overlay, node_byte(overlay, probability, column, row)) == here;
    }
  }
  kinds[y * gaps_of(overlay.columns) + x] = alike ? overlay.between[here] : (u8)FIELD;
}

// ---- the probability at a pixel ----------------------------------------------------------------------------------

// A pixel on the way between two nodes of an axis.
struct Between {
  u32 gap;
  float along; // 0 to 1
};

__device__ static inline Between between_of(u32 pixel, u32 nodes, float scale) {
  Between between;
  float place = ((float)pixel + 0.5f) * scale - 0.5f, last = (float)(nodes - 1);
  place = place < 0.0f ? 0.0f : place > last ? last : place;
  u32 gap = (u32)place, most = gaps_of(nodes) - 1;
  between.gap = gap < most ? gap : most;
  between.along = place - (float)between.gap;
  return between;
}

// A square of a slope that is as good as none.
#define LEAST_SQUARE 1e-18f

// The probability, its slopes across and down, and its slope to the next node across; slopes per pixel.
struct Node {
  float p, across, down, own;
};

__device__ static inline float node_value(const Overlay &overlay, const u8 *probability, int column, int row) {
  return (float)node_byte(overlay, probability, column, row) * (1.0f / 255.0f);
}

__device__ static inline Node node_of(const Overlay &overlay, const u8 *probability, int column, int row) {
  Node node;
  float before = node_value(overlay, probability, column - 1, row), after = node_value(overlay, probability, column + 1, row);
  float above = node_value(overlay, probability, column, row - 1), below = node_value(overlay, probability, column, row + 1);
  node.p = node_value(overlay, probability, column, row);
  node.across = (after - before) * 0.5f * overlay.across;
  node.down = (below - above) * 0.5f * overlay.down;
  node.own = (after - node.p) * overlay.across;
  return node;
}

__device__ static inline float lerp_of(float a, float b, float along) { return a + (b - a) * along; }

// A row of nodes at a pixel's column.
__device__ static inline Node laid(const Overlay &overlay, const u8 *probability, Between across, int row) {
  // In a mask of one column `along` is 0: what is next to it does not count.
  int column = (int)across.gap;
  Node a = node_of(overlay, probability, column, row), b = node_of(overlay, probability, column + 1, row);
  a.p = lerp_of(a.p, b.p, across.along);
  a.across = lerp_of(a.across, b.across, across.along);
  a.down = lerp_of(a.down, b.down, across.along);
  return a;
}

__device__ static inline float unit(float x) {
  x = x > 0.0f ? x : 0.0f;
  return x < 1.0f ? x : 1.0f;
}

__device__ static inline float magnitude(float x) { return x < 0.0f ? -x : x; }

// The byte nearest to a number from 0 to 255, ties to even: adding 2^23 leaves it in the lowest bits.
__device__ static inline u8 nearest(float x) { return (u8)float_bits(x + 8388608.0f); }

// How far pixel `place` is from the middle of its period.
__device__ static inline float from_middle(u32 place, u32 period) {
  return magnitude((float)(place % period) + 0.5f - (float)period / 2.0f);
}

// Binary entropy, nearly.
__device__ static inline float doubt_of(float p) {
  float x = 4.0f * p * (1.0f - p);
  float near = bits_float(0x4F58CAE5u - (float_bits(x) >> 2)), square = near * near;
  return x * near * (1.25f - 0.25f * x * square * square);
}

// One divided by the root of `x`, which is above 0, as the CPU's painter takes it.
__device__ static inline float inverse_root(float x) {
  float near = bits_float(0x5F3759DFu - (float_bits(x) >> 1)), half = 0.5f * x;
  float nearer = near * (1.5f - half * near * near);
  return nearer * (1.5f - half * nearer * nearer);
}

// What the layers cover of pixel (x, y) of the frame.
__device__ static inline void shade(const Overlay &overlay, const u8 *probability, const u8 *kinds, u32 x, u32 y, u8 *tint, u8 *seam, u8 *line) {
  u32 column = x - overlay.x, row = y - overlay.y; // beyond the width where it is left of it
  if (column >= overlay.width || row >= overlay.height) return;
  Between across = between_of(column, overlay.columns, overlay.across);
  Between down = between_of(row, overlay.rows, overlay.down);
  u8 kind = kinds[down.gap * gaps_of(overlay.columns) + across.gap];
  if (kind == EMPTY) return;
  if (kind == SOLID) {
    *tint = overlay.solid;
    return;
  }
  Node upper = laid(overlay, probability, across, (int)down.gap), lower = laid(overlay, probability, across, (int)down.gap + 1);
  float p = lerp_of(upper.p, lower.p, down.along);
  float slope_across = lerp_of(upper.across, lower.across, down.along), slope_down = lerp_of(upper.down, lower.down, down.along);
  float own_across = lerp_of(upper.own, lower.own, down.along), own_down = (lower.p - upper.p) * overlay.down;
  float square_across = slope_across * slope_across, square_down = slope_down * slope_down;
  float smooth = square_across + square_down;
  float steep = own_across * own_across + own_down * own_down;
  float square = smooth > steep ? smooth : steep;
  float inverse = inverse_root(square > LEAST_SQUARE ? square : LEAST_SQUARE), per_flat = 1.0f / overlay.flat;
  float run = inverse < per_flat ? inverse : per_flat;
  float firm = square * inverse * per_flat;
  float weight = firm < 1.0f ? firm : 1.0f;
  if (overlay.dash_px != 0) {
    bool upright = square_across > square_down;
    weight = weight * unit(overlay.half_dash_px - from_middle(upright ? y : x, overlay.dash_px) + 0.5f);
  }
  if (overlay.tint == INSIDE) {
    *tint = nearest(unit((p - overlay.low) * run + 0.5f) * overlay.strength * 255.0f);
  } else if (overlay.tint == DOUBT) {
    float inside = unit((p - overlay.low) * run + 0.5f) * unit((overlay.high - p) * run + 0.5f);
    float stripe = 0.35f + 0.65f * unit((float)overlay.hatching_px / 4.0f - from_middle(x + y, overlay.hatching_px) + 0.5f);
    *tint = nearest(inside * doubt_of(p) * stripe * overlay.strength * 255.0f);
  }
  for (u32 i = 0; i < overlay.strokes; i++) {
    Stroke stroke = overlay.stroke[i];
    float distance = magnitude(p - stroke.level) * run;
    u8 covered = nearest(unit(stroke.edge - distance) * weight * stroke.full);
    u8 *layer = i == 0 ? seam : line;
    if (covered > *layer) *layer = covered;
  }
}

// Paints an overlay; a thread is a block of the part of the frame that the mask is of. `probability` [side, side], `kinds`
// as `polyp_sort` left them.
extern "C" __global__ void polyp_paint(Surface surface, Overlay overlay, const u8 *probability, const u8 *kinds) {
  u32 x = overlay.x, y = overlay.y;
  block_of(surface.format, &x, &y);
  if (x >= overlay.x + overlay.width || y >= overlay.y + overlay.height) return;
  if (x >= surface.width || y >= surface.height) return;
  u32 wide = 1u << shift_x(surface.format), high = 1u << shift_y(surface.format);
  Coverage coverage = {};
  for (u32 down = 0; down < high; down++) {
    for (u32 across = 0; across < wide; across++) {
      u32 i = 2 * down + across;
      shade(overlay, probability, kinds, x + across, y + down, &coverage.layers[0][i], &coverage.layers[1][i], &coverage.layers[2][i]);
    }
  }
  mix(surface, overlay.pens, x, y, coverage);
}

// ---- the badge ---------------------------------------------------------------------------------------------------

__device__ static inline u8 dot_of(const u32 *row, u32 column) { return row[column / 32] >> (column % 32) & 1 ? 255 : 0; }

// Paints a badge; a thread is a block of it.
extern "C" __global__ void polyp_badge(Surface surface, Plate plate) {
  u32 x = plate.left, y = plate.top;
  block_of(surface.format, &x, &y);
  if (x >= surface.width || y >= surface.height) return;
  u32 wide = 1u << shift_x(surface.format), high = 1u << shift_y(surface.format);
  Coverage coverage = {};
  for (u32 down = 0; down < high; down++) {
    for (u32 across = 0; across < wide; across++) {
      if (x + across < plate.left || y + down < plate.top) continue;
      u32 i = 2 * down + across, column = (x + across - plate.left) / plate.unit_px, row = (y + down - plate.top) / plate.unit_px;
      if (column >= plate.columns || row >= DOT_ROWS) continue;
      coverage.layers[0][i] = plate.ground;
      coverage.layers[1][i] = dot_of(plate.shape[row], column);
      coverage.layers[2][i] = dot_of(plate.words[row], column);
    }
  }
  mix(surface, plate.pens, x, y, coverage);
}
