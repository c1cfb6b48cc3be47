// For a card: NVRTC knows CUDA's words already.
__device__ static inline unsigned int float_bits(float value) { return __float_as_uint(value); }
__device__ static inline float bits_float(unsigned int bits) { return __uint_as_float(bits); }
